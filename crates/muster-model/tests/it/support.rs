//! What several themes share: files in memory, and loading with little ceremony.

use muster_model::Secret;
use muster_model::diagnostic::{Diagnostics, Style};
use muster_model::document::Files;
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::{Checked, Inputs, Need, load};

/// Files from pairs; the first one is the entry.
pub fn files(all: &[(&str, &str)]) -> Files {
    let mut files = Files::new();
    for (path, text) in all {
        files.insert(*path, text.as_bytes());
    }
    files
}

/// Loads `infra/shop.yaml` with this text; a playbook and a code directory are there.
pub fn load_text(text: &str) -> Result<Checked, Diagnostics> {
    load_with(text, &Inputs::default())
}

/// The same with inputs.
pub fn load_with(text: &str, inputs: &Inputs) -> Result<Checked, Diagnostics> {
    let mut files = files(&[("infra/shop.yaml", text), ("vars/prod.yaml", "size: 8\nregion: DsMsk\n")]);
    for path in ["playbooks/base.yml", "playbooks/site.yml", "app/index.html", "app/css/site.css"] {
        files.list(path);
    }
    load(&InfrastructureName::from("shop"), &files, "infra/shop.yaml", inputs)
}

/// The drawn problems of a text that must be refused.
pub fn refused(text: &str) -> String {
    load_text(text).expect_err("must be refused").render(Style::Plain)
}

/// Inputs that need only what makes servers.
pub fn servers_only() -> Inputs {
    Inputs { need: Need::Servers, ..Inputs::default() }
}

/// Inputs with variables and an environment.
pub fn inputs(vars: &[(&str, &str)], env: &[(&str, &str)]) -> Inputs {
    Inputs {
        vars: vars.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
        ..Inputs::default()
    }
}
