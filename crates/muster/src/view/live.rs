//! What happens while a command works: on a terminal one live line per server under work, in a pipe plain lines.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use muster_api::Resource;
use muster_api::event::{Event, Happened};
use muster_api::plan::PlanAttributes;

use super::{Screen, data, event, human, plan, table};
use crate::cli::Format;
use crate::command::Report;

/// Live lines at once; servers beyond are drawn when one of them is free.
const LIVE_LINES_MAX: usize = 24;
/// How often a live line's clock is redrawn.
const REDRAW: Duration = Duration::from_millis(200);

/// What happens while a command works.
pub struct Live {
    quiet: bool,
    format: Format,
    /// Whether stdout belongs to people; else everything on the way goes to stderr.
    pretty: bool,
    /// Whether live lines can be drawn.
    terminal: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shown_plan: bool,
    bars: MultiProgress,
    /// The live line of each target under work, with the number of its steps under way.
    live: BTreeMap<String, (ProgressBar, u32)>,
    total: usize,
    done: usize,
}

impl Live {
    /// As the options say.
    pub fn new(format: Format, quiet: bool) -> Live {
        let pretty = format == Format::Pretty;
        let terminal = pretty && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Live { quiet, format, pretty, terminal, state: Mutex::new(State::default()) }
    }

    /// Whether the plan was drawn already.
    pub fn has_shown_plan(&self) -> bool {
        self.state().shown_plan
    }

    /// Whether only the answer is wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while drawing leaves nothing half-done that matters.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn print(&self, text: &str) {
        // A reader that went away is noticed when the answer is drawn.
        if self.pretty {
            let _ = writeln!(anstream::stdout().lock(), "{text}");
        } else {
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }
}

impl Screen for Live {
    fn plan(&self, resource: &Resource<PlanAttributes>) {
        let mut state = self.state();
        if self.pretty || !self.quiet {
            state.shown_plan = self.pretty;
            self.print(&plan::plan(&resource.attributes));
        }
    }

    fn begin(&self, run: &str, plan: Option<&PlanAttributes>) {
        let mut state = self.state();
        state.total = plan.map_or(0, |plan| plan.steps.len());
        if !self.quiet {
            self.print(&format!("Run {run}"));
        }
    }

    fn event(&self, happened: &Event) {
        if self.quiet {
            return;
        }
        let mut state = self.state();
        if !self.terminal {
            if let Some(line) = event::line(happened) {
                self.print(&line);
            }
            return;
        }
        state.draw(happened);
    }

    fn page(&self, page: &Report, first: bool) -> std::io::Result<()> {
        super::write(&match self.format {
            Format::Pretty => human::report(page, false, self.quiet),
            Format::Table => table::page(page, first),
            Format::Yaml => data::yaml(page),
            Format::Json => data::json_page(page, first),
        })
    }

    fn pages_end(&self) -> std::io::Result<()> {
        match self.format {
            Format::Json => super::write("\n]\n"),
            Format::Pretty | Format::Table | Format::Yaml => Ok(()),
        }
    }

    fn end(&self) {
        let mut state = self.state();
        for (bar, _) in std::mem::take(&mut state.live).into_values() {
            bar.finish_and_clear();
        }
        let _ = state.bars.clear();
    }

    fn say(&self, message: &str) {
        if !self.quiet {
            let state = self.state();
            state.bars.suspend(|| anstream::eprintln!("{message}"));
        }
    }
}

impl State {
    fn draw(&mut self, happened: &Event) {
        let target = happened.target.clone().unwrap_or_default();
        let action = happened.action.clone().unwrap_or_default();
        match &happened.what {
            Happened::Started { .. } => self.working(&target, &action),
            Happened::Progress { step: Some(_), message } => {
                if let Some((bar, _)) = self.live.get(&target) {
                    bar.set_message(format!("{action}: {message}"));
                }
            }
            Happened::Task { host, task, outcome, .. } if outcome != "failed" && outcome != "unreachable" => {
                if let Some((bar, _)) = self.live.get(&target) {
                    bar.set_message(format!("{action}: {host}: {task} {outcome}"));
                }
            }
            Happened::Failed { again: true, .. } => self.permanent(happened),
            Happened::Succeeded { .. } | Happened::Failed { .. } | Happened::Skipped { .. } => {
                self.done += 1;
                self.rests(&target);
                self.permanent(happened);
            }
            Happened::Run { .. } | Happened::Progress { step: None, .. } | Happened::Task { .. } => {
                self.permanent(happened);
            }
        }
    }

    fn permanent(&self, happened: &Event) {
        if let Some(line) = event::line(happened) {
            let count = match self.total {
                0 => String::new(),
                total => format!("[{}/{total}] ", self.done.min(total)),
            };
            self.bars.suspend(|| anstream::println!("{count}{line}"));
        }
    }

    fn working(&mut self, target: &str, action: &str) {
        if let Some((bar, count)) = self.live.get_mut(target) {
            *count += 1;
            bar.set_message(action.to_owned());
            return;
        }
        if self.live.len() >= LIVE_LINES_MAX {
            return;
        }
        let style = ProgressStyle::with_template("  {spinner} {prefix}  {msg}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = self.bars.add(ProgressBar::new_spinner().with_style(style));
        bar.set_prefix(target.to_owned());
        bar.set_message(action.to_owned());
        bar.enable_steady_tick(REDRAW);
        self.live.insert(target.to_owned(), (bar, 1));
    }

    fn rests(&mut self, target: &str) {
        let Some((bar, count)) = self.live.get_mut(target) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            bar.finish_and_clear();
            self.live.remove(target);
        }
    }
}
