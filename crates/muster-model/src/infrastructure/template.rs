//! Server templates of old ict files: `CPU`, `RAM`, `HDD`, `HDDType`, `ImageID`.

use crate::diagnostic::{Diagnostic, nearest, shown};
use crate::document::walk::{Walk, blame, field};
use crate::document::{Entry, Span, Value, parse_bytes, path};
use crate::infrastructure::check::Surroundings;
use crate::server::{Performance, Size};

use super::image::{IMAGE_ID_PREFIX, image_of_id};
use super::legacy::{bases, find_template};
use super::size::{CPU_MAX, DISK_GB_MAX, DISK_TYPE_DEFAULT, RAM_MB_MAX, disk_kind};

/// What a template says.
#[derive(Clone, Debug)]
pub(crate) struct ServerTemplate {
    pub size: Size,
    pub image: String,
}

const WORDS: &[&str] = &["CPU", "RAM", "HDD", "HDDType", "ImageID"];

/// The templates that ict came with (name, cores, MB, GB), all SSD with image 3492: they stand in for
/// themselves where their files were not kept.
const SHIPPED: &[(&str, u32, u32, u32)] = &[
    ("min_01", 2, 1_024, 40),
    ("min_02", 2, 4_096, 60),
    ("mid_01", 4, 8_192, 120),
    ("mid_02", 6, 8_192, 240),
];
const SHIPPED_IMAGE: &str = "Ubuntu20.04x64";

/// Reads the template that a role names.
pub(crate) fn template(
    walk: &mut Walk<'_>,
    around: &mut Surroundings<'_>,
    name: &str,
    at: Span,
) -> Option<ServerTemplate> {
    let found = find_template(around, "servers", name);
    let Some((path, bytes)) =
        found.and_then(|path| around.files.get(&path).map(|bytes| (path.clone(), bytes)))
    else {
        return not_there(walk, around, name, at);
    };
    around.files_used.insert(path.clone());
    let (source, root) = match parse_bytes(&path, bytes) {
        Ok(parsed) => parsed,
        Err(problem) => {
            walk.problems.push(*problem);
            return None;
        }
    };
    let mut inner = Walk::new(&source);
    let entries = inner.map(&root, Span::default(), "a server template").unwrap_or_default();
    inner.only(entries, "a server template", WORDS, &[]);
    let template = read(&mut inner, entries);
    let problems = inner.problems;
    walk.problems.append(problems);
    Some(template)
}

fn read(walk: &mut Walk<'_>, entries: &[Entry]) -> ServerTemplate {
    let mut number = |key: &str, most: u32| match field(entries, key) {
        Some(entry) => walk.whole(entry, &format!("`{key}`"), 1..=most).unwrap_or(1),
        None => {
            walk.error(Span::default(), "missing-field", format!("the template does not say its `{key}`"));
            1
        }
    };
    let (cpu, ram_mb, disk_gb) =
        (number("CPU", CPU_MAX), number("RAM", RAM_MB_MAX), number("HDD", DISK_GB_MAX));
    let disk_type = field(entries, "HDDType")
        .and_then(|entry| {
            let word = walk.text(&entry.node, blame(entry), "`HDDType`")?;
            let kind = disk_kind(&word);
            if let Err(problem) = &kind {
                let place = walk.place(blame(entry));
                let diagnostic = Diagnostic::error("bad-size", format!("`HDDType`: {}", problem.message));
                walk.problems.push(diagnostic.at(place).help_maybe(problem.help.clone()));
            }
            kind.ok()
        })
        .unwrap_or_else(|| DISK_TYPE_DEFAULT.to_owned());
    let image = match field(entries, "ImageID") {
        Some(entry) => image(walk, entry),
        None => {
            walk.error(Span::default(), "missing-field", "the template does not say its `ImageID`");
            String::new()
        }
    };
    ServerTemplate { size: Size { cpu, ram_mb, disk_gb, disk_type, performance: Performance::Base }, image }
}

fn image(walk: &mut Walk<'_>, entry: &Entry) -> String {
    let Some(text) = walk.text(&entry.node, blame(entry), "`ImageID`") else { return String::new() };
    let id = match &entry.node.value {
        Value::Int(id, _) => u64::try_from(*id).ok(),
        _ => text.parse::<u64>().ok(),
    };
    let Some(id) = id else { return text };
    let (words, message) = match image_of_id(id) {
        Some(name) => {
            (name.to_owned(), format!("the image number {id} is read as `{name}`, which it was in 2023"))
        }
        None => (
            format!("{IMAGE_ID_PREFIX}{id}"),
            format!("the image number {id} is taken as it is; numbers change"),
        ),
    };
    walk.warn(blame(entry), "image-number", message, format!("today: `image: {words}`"));
    words
}

fn not_there(walk: &mut Walk<'_>, around: &Surroundings<'_>, name: &str, at: Span) -> Option<ServerTemplate> {
    if let Some((_, cpu, ram_mb, disk_gb)) = SHIPPED.iter().find(|(shipped, ..)| *shipped == name) {
        let message = format!("the template `{name}` is not there; it is read as ict shipped it");
        walk.warn(at, "shipped-template", message, format!("today: `cpu: {cpu}`, `ram: {ram_mb} MiB`, `disk: {disk_gb} GiB ssd`, `image: {SHIPPED_IMAGE}`"));
        let size = Size {
            cpu: *cpu,
            ram_mb: *ram_mb,
            disk_gb: *disk_gb,
            disk_type: DISK_TYPE_DEFAULT.to_owned(),
            performance: Performance::Base,
        };
        return Some(ServerTemplate { size, image: SHIPPED_IMAGE.to_owned() });
    }
    let folders: Vec<String> = bases(around.entry).iter().map(|base| path::join(base, "servers")).collect();
    let known: Vec<&str> = folders
        .iter()
        .flat_map(|folder| around.files.below(folder))
        .map(path::stem)
        .chain(SHIPPED.iter().map(|(name, ..)| *name))
        .collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it was looked for in {}", folders.join(", ")),
    };
    let place = walk.place(at);
    walk.problems.push(
        Diagnostic::error("unknown-template", format!("there is no server template `{}`", shown(name)))
            .at(place)
            .help(help),
    );
    None
}
