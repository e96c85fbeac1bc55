//! Questions to the person: asked on a terminal, or not at all.

use std::io::{BufRead, IsTerminal, Write};

use muster_model::Secret;

use crate::exit::{Exit, Failure};

/// Somebody who can be asked.
pub trait Ask: Send + Sync {
    /// Whether there is anybody.
    fn present(&self) -> bool;
    /// One line of text, as typed.
    fn line(&self, question: &str) -> Result<String, Failure>;
    /// One line that is not shown.
    fn secret(&self, question: &str) -> Result<Secret, Failure>;
    /// Something the person should know while being asked.
    fn tell(&self, message: &str);
}

/// The person at the terminal.
pub struct Terminal;

impl Ask for Terminal {
    fn present(&self) -> bool {
        std::io::stdin().is_terminal()
    }

    fn line(&self, question: &str) -> Result<String, Failure> {
        anstream::eprint!("{question} ");
        let _ = std::io::stderr().flush();
        let mut text = String::new();
        let read = std::io::stdin().lock().read_line(&mut text);
        read.map_err(|error| Failure::usage(format!("the answer could not be read: {error}")))?;
        Ok(text.trim().to_owned())
    }

    fn secret(&self, question: &str) -> Result<Secret, Failure> {
        let prompt = inquire::Password::new(question)
            .without_confirmation()
            .with_display_mode(inquire::PasswordDisplayMode::Hidden);
        prompt.prompt().map(Secret::new).map_err(|error| match error {
            inquire::InquireError::NotTTY => Failure::usage("this question needs a terminal"),
            inquire::InquireError::OperationCanceled | inquire::InquireError::OperationInterrupted => {
                Failure::new(Exit::Interrupted, "interrupted; nothing was changed")
            }
            other => Failure::usage(format!("the answer could not be read: {other}")),
        })
    }

    fn tell(&self, message: &str) {
        anstream::eprintln!("{message}");
    }
}

/// Asks once; only `yes` is yes.
pub fn consent(ask: &dyn Ask, question: &str) -> Result<bool, Failure> {
    Ok(ask.line(&format!("{question} (yes/no)"))?.eq_ignore_ascii_case("yes"))
}

#[cfg(test)]
pub mod scripted {
    //! Somebody who answers from a list.

    use std::sync::Mutex;

    use super::*;

    /// Answers in order; hears everything.
    #[derive(Default)]
    pub struct Scripted {
        /// What is answered, last first.
        pub answers: Mutex<Vec<String>>,
        /// What was asked and told.
        pub heard: Mutex<Vec<String>>,
        /// Whether there is nobody.
        pub absent: bool,
    }

    impl Scripted {
        /// Somebody with these answers.
        pub fn saying(answers: &[&str]) -> Scripted {
            let answers = answers.iter().rev().map(|text| (*text).to_owned()).collect();
            Scripted { answers: Mutex::new(answers), ..Scripted::default() }
        }
    }

    impl Ask for Scripted {
        fn present(&self) -> bool {
            !self.absent
        }
        fn line(&self, question: &str) -> Result<String, Failure> {
            self.heard.lock().unwrap().push(question.to_owned());
            self.answers.lock().unwrap().pop().ok_or_else(|| Failure::usage("no answer left"))
        }
        fn secret(&self, question: &str) -> Result<Secret, Failure> {
            self.line(question).map(Secret::new)
        }
        fn tell(&self, message: &str) {
            self.heard.lock().unwrap().push(message.to_owned());
        }
    }

    #[test]
    fn only_yes_is_yes() {
        for (text, yes) in
            [("yes", true), ("YES", true), ("y", false), ("", false), ("no", false), ("ja", false)]
        {
            assert_eq!(consent(&Scripted::saying(&[text]), "Sure?").unwrap(), yes, "{text}");
        }
    }
}
