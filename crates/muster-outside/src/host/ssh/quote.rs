//! The one place where an argument list becomes text for a shell.
//!
//! SSH carries a command as one string that the other side's shell reads. Everything that runs there is an argument
//! list in our code and passes through here.

/// The text that a POSIX shell reads back as exactly these arguments.
pub fn command_line<S: AsRef<str>>(arguments: &[S]) -> String {
    let mut line = String::new();
    for argument in arguments {
        if !line.is_empty() {
            line.push(' ');
        }
        quote_into(argument.as_ref(), &mut line);
    }
    line
}

/// One argument: bare where no shell could read it differently, else in single quotes.
fn quote_into(argument: &str, line: &mut String) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,+@%".contains(&byte);
    // A bare first word with `=` would be an assignment, so `=` is not among the plain ones.
    if !argument.is_empty() && argument.bytes().all(plain) {
        line.push_str(argument);
        return;
    }
    line.push('\'');
    for (index, piece) in argument.split('\'').enumerate() {
        if index > 0 {
            line.push_str("'\\''");
        }
        line.push_str(piece);
    }
    line.push('\'');
}

/// A script of ours with its arguments: the text is constant, the data are `$1`, `$2`, … and never part of it.
pub fn script<S: AsRef<str>>(text: &str, name: &str, arguments: &[S]) -> Vec<String> {
    let mut all = vec!["sh".to_owned(), "-c".to_owned(), text.to_owned(), name.to_owned()];
    all.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_what_needs_it() {
        assert_eq!(command_line(&["ls", "-l", "/srv/app"]), "ls -l /srv/app");
        assert_eq!(
            command_line(&["echo", "a b", "", "it's", "$x", "~"]),
            r"echo 'a b' '' 'it'\''s' '$x' '~'"
        );
        assert_eq!(command_line(&["a=b"]), "'a=b'");
    }
}
