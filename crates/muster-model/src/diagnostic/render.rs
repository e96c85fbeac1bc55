//! Drawing problems for people: a title, the line with the marked text, and what to try next.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Padding, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Place, Severity};

/// How problems are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without colours: pipes, logs, tests.
    Plain,
    /// With terminal colours.
    Coloured,
}

impl Style {
    fn renderer(self) -> Renderer {
        match self {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        }
    }
}

impl Diagnostics {
    /// All of them, one after another, and how many were left out.
    pub fn render(&self, style: Style) -> String {
        let mut parts: Vec<String> = self.items.iter().map(|item| item.render(style)).collect();
        if self.left_out > 0 {
            parts.push(format!("and {} more", self.left_out));
        }
        parts.join("\n\n")
    }
}

impl Diagnostic {
    /// This one problem.
    pub fn render(&self, style: Style) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&*self.message).id(&*self.code));
        if let Some(place) = &self.place {
            group = draw(group, place, self.label.as_deref(), AnnotationKind::Primary);
        }
        for related in &self.related {
            group = draw(group, &related.place, Some(&related.label), AnnotationKind::Context);
        }
        if let Some(help) = &self.help {
            if self.place.is_some() {
                group = group.element(Padding);
            }
            group = group.element(Level::HELP.message(&**help));
        }
        style.renderer().render(&[group])
    }
}

/// Adds one place: the line with its mark, or only file, line and column where the line is too long to show.
fn draw<'a>(group: Group<'a>, place: &'a Place, label: Option<&'a str>, kind: AnnotationKind) -> Group<'a> {
    let Some(line) = &place.excerpt else {
        let origin = Origin::path(&*place.file).line(place.line as usize).char_column(place.column as usize);
        let group = group.element(origin);
        return match label {
            Some(label) => group.element(Padding).element(Level::NOTE.message(label)),
            None => group,
        };
    };
    let start =
        line.char_indices().nth(place.column.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at);
    let mut end = start.saturating_add(place.bytes.len()).min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let annotation: Annotation<'a> = kind.span(start..end.max(start)).label(label);
    group.element(
        Snippet::source(&**line).path(&*place.file).line_start(place.line as usize).annotation(annotation),
    )
}
