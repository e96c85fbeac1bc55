//! `muster infra convert`: an old ict file in today's form. Asks nobody: it only reads files and writes one.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use muster_model::diagnostic::{Diagnostics, Style};
use muster_model::document::path::stem;
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::convert as rules;

use super::super::find::{Found, find_or_take, rooted};
use super::super::gather::around;
use super::super::report::Converted;
use super::super::{Answer, Report};
use crate::cli::infra::Convert;
use crate::exit::{Exit, Failure};
use crate::view::Screen;

/// Converts one file. What stands there already is only overwritten with `--force`.
pub fn convert(
    arguments: &Convert,
    here: &Path,
    home: &Path,
    screen: &dyn Screen,
) -> Result<Answer, Failure> {
    let found = find_or_take(&arguments.file, here, home)?;
    let (files, _) = around(&found, &[])?;
    let to = arguments.to.as_deref().map(|to| absolute(&here.join(to))).transpose()?;
    if let (Some(to), Some(written)) = (&to, &arguments.to)
        && to.exists()
        && !arguments.force
    {
        return Err(Failure::usage(format!(
            "{} is there already; --force overwrites it, or name another file with --to",
            written.display()
        )));
    }
    // What is only shown is meant to take the old file's place.
    let target = to.as_ref().map(|to| rooted(to, &found.name));
    let target = target.as_ref().unwrap_or(&found);
    let (old_root, new_root) = (absolute(&found.root)?, absolute(&target.root)?);
    let moved = |path: &str| {
        let below = old_root.join(path);
        let below = below.strip_prefix(&new_root).ok()?;
        Some(below.to_str()?.to_owned())
    };
    let name = InfrastructureName::from(found.name.as_str());
    let converted = rules(&name, &files, &found.entry, &target.entry, &moved)
        .map_err(|problems| Failure::document(&problems))?;
    if let Some(to) = &to {
        write(to, &converted.text, arguments.force)?;
    }
    let from = relative(&found.root.join(&found.entry), here);
    let next = next_steps(&found, &from, target, to.as_deref());
    say(&converted.warnings, &next, screen);
    Answer::done(Report::Converted(Box::new(Converted {
        name: found.name.clone(),
        from,
        to: arguments.to.as_ref().map(|to| to.display().to_string()),
        text: converted.text,
        servers: converted.infrastructure.servers.len(),
        networks: converted.infrastructure.networks.len(),
        warnings: converted.warnings.items,
        next,
    })))
}

/// The whole path of something that may not be there yet; its directory must be.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let say = |error: std::io::Error| Failure::usage(format!("{} cannot be used: {error}", path.display()));
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match path.file_name() {
        Some(name) => Ok(directory.canonicalize().map_err(say)?.join(name)),
        None => Err(Failure::usage(format!("{} names no file", path.display()))),
    }
}

/// A path as a person at `here` would write it.
fn relative(path: &Path, here: &Path) -> String {
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Writes beside the place first: what stood there is whole until the new file is.
fn write(to: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let say = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("{} cannot be written: {error}", to.display()))
    };
    if !force {
        // Somebody else may have made it since we looked.
        let mut file = std::fs::File::create_new(to).map_err(say)?;
        return file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(say);
    }
    let unfinished = to.with_extension(format!("new-{}", std::process::id()));
    std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, to)).map_err(|error| {
        let _ = std::fs::remove_file(&unfinished);
        say(error)
    })
}

/// What is left to do after the new file was written.
fn next_steps(old: &Found, from: &str, new: &Found, to: Option<&Path>) -> Vec<String> {
    let Some(to) = to else { return Vec::new() };
    let mut next = Vec::new();
    let last = old.name.rsplit('.').next().unwrap_or_default();
    if stem(&new.entry) != last {
        next.push(format!(
            "What {} owns stays with that name, and the new file has another one: call it {last}, or adopt the servers anew",
            old.name
        ));
    } else if old.root.join(&old.entry).canonicalize().ok().as_deref() != Some(to) {
        next.push(format!("Take {from} away: of two files of one name neither can be used"));
    }
    next.push(format!("See that nothing would change: muster infra plan {last}"));
    next
}

fn say(warnings: &Diagnostics, next: &[String], screen: &dyn Screen) {
    if !warnings.is_empty() {
        screen.say(&warnings.render(Style::Plain));
    }
    for step in next {
        screen.say(step);
    }
}
