//! Variables of the command line: `name=value` pairs, and Ansible's extra variables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::exit::Failure;

/// Variables of a document, as text; later ones win. The file's own type decides what a text means.
pub fn vars(pairs: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut vars = BTreeMap::new();
    for given in pairs {
        let (name, value) = pair(given, "--var")?;
        vars.insert(name, value);
    }
    Ok(vars)
}

/// Extra variables of playbooks: `name=value`, a JSON object, or `@file`; later ones win.
pub fn extra_vars(given: &[String]) -> Result<BTreeMap<String, Value>, Failure> {
    let mut vars = BTreeMap::new();
    for text in given {
        if let Some(file) = text.strip_prefix('@') {
            vars.extend(object_of(&PathBuf::from(file))?);
        } else if text.trim_start().starts_with('{') {
            let object = serde_json::from_str::<BTreeMap<String, Value>>(text)
                .map_err(|error| Failure::usage(format!("--extra-vars: no JSON object: {error}")))?;
            vars.extend(object);
        } else {
            let (name, value) = pair(text, "--extra-vars")?;
            vars.insert(name, Value::String(value));
        }
    }
    Ok(vars)
}

fn pair(text: &str, option: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("{option} takes name=value, not `{text}`"))),
    }
}

fn object_of(file: &PathBuf) -> Result<BTreeMap<String, Value>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
    serde_saphyr::from_str(&text).map_err(|error| {
        Failure::usage(format!("{} is no map of variables: {}", file.display(), error.without_snippet()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ones_win() {
        let vars = vars(&["name=x".into(), "name=a=b".into(), "empty=".into()]).unwrap();
        assert_eq!(vars["name"], "a=b");
        assert_eq!(vars["empty"], "");
    }

    #[test]
    fn extra_variables_have_three_forms() {
        let vars = extra_vars(&["a=1".into(), r#"{"b": [true], "a": 2}"#.into()]).unwrap();
        assert_eq!(vars["a"], serde_json::json!(2));
        assert_eq!(vars["b"], serde_json::json!([true]));
        assert!(extra_vars(&["nonsense".into()]).unwrap_err().message.contains("name=value"));
        assert!(extra_vars(&["{".into()]).is_err());
    }
}
