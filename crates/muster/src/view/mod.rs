//! Drawing: data in, text out. A view never decides.
//!
//! Answers go to stdout in the chosen form; problems, and what happens on the way, to stderr where the answer is for
//! machines. Drawing itself is in pure functions of `human`, `table` and `data`, so that tests keep it as text.

use std::io::{self, Write};

use muster_api::Resource;
use muster_api::event::Event;
use muster_api::plan::PlanAttributes;

use crate::cli::{Format, Global};
use crate::command::Report;
use crate::exit::Failure;

pub mod data;
pub mod event;
pub mod human;
pub mod live;
pub mod object;
pub mod plan;
pub mod price;
pub mod revision;
#[cfg(test)]
pub mod sample;
pub mod style;
pub mod table;

/// What is shown while a command works.
pub trait Screen: Send + Sync {
    /// A plan, before it is asked about or carried out.
    fn plan(&self, plan: &Resource<PlanAttributes>);
    /// A run is being followed from here on.
    fn begin(&self, run: &str, plan: Option<&PlanAttributes>);
    /// Something happened in it.
    fn event(&self, event: &Event);
    /// It is not followed any more.
    fn end(&self);
    /// Something worth knowing.
    fn say(&self, message: &str);
    /// A page of a long answer on stdout, at once; all pages together read like one answer.
    fn page(&self, page: &Report, first: bool) -> io::Result<()>;
    /// The pages are over; there was at least one.
    fn pages_end(&self) -> io::Result<()>;
    /// One event as a line of JSON on stdout, at once.
    fn line(&self, event: &Event) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, event)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// How answers are drawn.
pub struct View {
    format: Format,
    screen: live::Live,
}

impl View {
    /// As the global options say; sets colours once for the process.
    pub fn new(options: &Global) -> View {
        if options.no_color {
            anstream::ColorChoice::Never.write_global();
        }
        View { format: options.format, screen: live::Live::new(options.format, options.quiet) }
    }

    /// Whether answers are for machines, as JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// What is shown while a command works.
    pub fn screen(&self) -> &dyn Screen {
        &self.screen
    }

    /// Draws an answer.
    pub fn report(&self, report: &Report) -> io::Result<()> {
        if *report == Report::Nothing {
            return Ok(());
        }
        let text = match (self.format, report) {
            (_, Report::Text(text)) => text.clone(),
            (Format::Pretty, report) => {
                human::report(report, self.screen.has_shown_plan(), self.screen.is_quiet())
            }
            (Format::Table, report) => table::report(report),
            (Format::Json, report) => data::json(report),
            (Format::Yaml, report) => data::yaml(report),
        };
        write(&text)
    }

    /// Says why there is no answer.
    pub fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        if self.format == Format::Json {
            anstream::eprintln!("{}", data::failure(failure));
            return;
        }
        if failure.is_drawn() {
            anstream::eprintln!("{}", failure.message);
            return;
        }
        let error = style::BAD;
        anstream::eprintln!("{error}error{error:#}: {}", failure.message);
    }
}
