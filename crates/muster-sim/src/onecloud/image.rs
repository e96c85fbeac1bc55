//! Images: requests 11 to 13. Stock images belong to everybody; an own image is what a server was, kept.
//!
//! The technical name is what servers show as `Image`; numbers drift, and stock images come and go.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::catalog::{Family, IMAGES};
use super::create::check_name;
use super::drift::DriftError;
use super::durations::ms;
use super::input::Fields;
use super::object::Life;
use super::quota::Counted;
use super::refusal::Refusal;
use super::view::{self, Answer};
use super::world::World;

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ID`. Drifts at the provider: look images up by name.
    pub id: u64,
    /// `Name`: the technical name, which servers show as `Image`.
    pub name: String,
    /// `DisplayName`.
    pub display_name: String,
    /// `Hdd`: the smallest disk in GB.
    pub hdd_gb: u32,
    /// `Family`.
    pub family: Family,
    /// `DCLocation`; empty: everywhere.
    pub dc_location: String,
    /// Whether it is the provider's and not somebody's own.
    pub stock: bool,
}

/// An image that a project made.
#[derive(Clone, Debug)]
pub(super) struct OwnImage {
    pub image: Arc<Image>,
    /// From when on it is listed.
    ready: Timestamp,
}

/// The images that every world begins with.
pub(super) fn stock() -> Vec<Arc<Image>> {
    let image = |id, name: &str, display_name: &str, hdd_gb, family| Image {
        id,
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        hdd_gb,
        family,
        dc_location: String::new(),
        stock: true,
    };
    IMAGES
        .iter()
        .map(|one| Arc::new(image(one.id, one.name, one.display_name, one.hdd_gb, one.family)))
        .collect()
}

impl World {
    /// The images that a project can use now: the stock, then its own.
    fn images(&self, project: usize) -> impl Iterator<Item = &Arc<Image>> {
        let now = self.now;
        let own = self.projects[project].rest.images.values().filter(move |own| own.ready <= now);
        self.stock_images.iter().chain(own.map(|own| &own.image))
    }

    pub(super) fn image_list(&self, project: usize) -> Answer {
        let images = self.images(project);
        view::json(&images.map(|image| view::image(image, &self.switches)).collect::<Vec<_>>())
    }

    /// The image of that number, if a server in data centre `dc` can be made from it.
    pub(super) fn image(&self, project: usize, id: u64, dc: &str) -> Result<Arc<Image>, Refusal> {
        let image = self.images(project).find(|image| image.id == id);
        let image = image.ok_or_else(|| Refusal::bad("Image not found"))?;
        if !image.dc_location.is_empty() && image.dc_location != dc {
            return Err(Refusal::bad(format!("Image is in {}, the server in {dc}", image.dc_location)));
        }
        Ok(Arc::clone(image))
    }

    /// The stock image of that technical or display name, in any case (for drift and seeds; the API takes numbers).
    pub(super) fn stock_image_named(&self, name: &str) -> Option<Arc<Image>> {
        let bears = |image: &&Arc<Image>| {
            [&image.name, &image.display_name].iter().any(|one| one.eq_ignore_ascii_case(name.trim()))
        };
        self.stock_images.iter().find(bears).map(Arc::clone)
    }

    pub(super) fn image_create(&mut self, project: usize, fields: &Fields) -> Result<Answer, Refusal> {
        let required = |name: &str| Refusal::bad(format!("Parameter {name} is required"));
        let display_name = check_name(fields)?;
        let name = fields.text("TechName")?.ok_or_else(|| required("TechName"))?;
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refusal::bad("TechName must be Latin letters and digits"));
        }
        let server = fields.id("ServerID")?.ok_or_else(|| required("ServerID"))?;
        let (server, _) =
            self.changeable(project, server).map_err(|refusal| Refusal { status: 400, ..refusal })?;
        if server.life == Life::New {
            return Err(Refusal::bad("Server is not created yet"));
        }
        let holds = &self.projects[project];
        holds.quota.check(Counted::Images, holds.rest.images.len())?;
        let image = Arc::new(Image {
            id: self.free_image_number(),
            name,
            display_name,
            hdd_gb: server.hdd_gb,
            family: server.family,
            dc_location: server.dc_location.clone(),
            stock: false,
        });
        let answer = view::json(&view::image(&image, &self.switches));
        let ready = self.after(ms(self.durations.image_ms));
        self.projects[project].rest.images.insert(image.id, OwnImage { image, ready });
        Ok(answer)
    }

    pub(super) fn image_delete(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        if self.stock_images.iter().any(|image| image.id == id) {
            return Err(Refusal::new(
                self.switches.stock_image_delete_status,
                "Stock images cannot be deleted",
            ));
        }
        match self.projects[project].rest.images.remove(&id) {
            Some(_) => Ok(Answer::Empty),
            None => Err(Refusal::not_found("Image")),
        }
    }

    fn image_number_taken(&self, id: u64) -> bool {
        self.stock_images.iter().any(|image| image.id == id)
            || self.projects.iter().any(|project| project.rest.images.contains_key(&id))
    }

    /// Drift may have given a stock image any number.
    fn free_image_number(&mut self) -> u64 {
        loop {
            let id = self.counters.image();
            if !self.image_number_taken(id) {
                return id;
            }
        }
    }

    /// The stock image of that name or number, by its place.
    fn find_stock_image(&self, name: &str) -> Result<usize, DriftError> {
        let number = name.parse::<u64>().ok();
        let named = self.stock_image_named(name).map(|image| image.id).or(number);
        let at = self.stock_images.iter().position(|image| Some(image.id) == named);
        at.ok_or_else(|| DriftError::Missing { kind: "image", name: name.to_owned() })
    }

    /// Drift: a stock image changes, its number perhaps too.
    pub(super) fn set_image(&mut self, name: &str, fields: &Map<String, Value>) -> Result<(), DriftError> {
        let at = self.find_stock_image(name)?;
        let image = self.image_with(Image::clone(&self.stock_images[at]), fields)?;
        self.stock_images[at] = Arc::new(image);
        Ok(())
    }

    /// Drift: a stock image comes.
    pub(super) fn add_image(&mut self, name: &str, fields: &Map<String, Value>) -> Result<(), DriftError> {
        let image = Image {
            id: 0,
            name: name.to_owned(),
            display_name: name.to_owned(),
            hdd_gb: 10,
            family: Family::Linux,
            dc_location: String::new(),
            stock: true,
        };
        let mut image = self.image_with(image, fields)?;
        if image.id == 0 {
            image.id = self.free_image_number();
        }
        self.stock_images.push(Arc::new(image));
        Ok(())
    }

    /// Drift: a stock image vanishes.
    pub(super) fn remove_image(&mut self, name: &str) -> Result<(), DriftError> {
        let at = self.find_stock_image(name)?;
        self.stock_images.remove(at);
        Ok(())
    }

    fn image_with(&self, mut image: Image, fields: &Map<String, Value>) -> Result<Image, DriftError> {
        let read = Fields::of_object(fields);
        for (field, _) in read.iter() {
            match field {
                "id" => {
                    let id = read.id(field)?.filter(|id| *id != 0).unwrap_or(image.id);
                    if id != image.id && self.image_number_taken(id) {
                        return Err(DriftError::Form(format!("there is an image {id} already")));
                    }
                    image.id = id;
                }
                "name" => image.name = read.text(field)?.unwrap_or_default(),
                "displayname" => image.display_name = read.text(field)?.unwrap_or_default(),
                "hdd" => image.hdd_gb = read.count(field)?.unwrap_or(image.hdd_gb),
                "dclocation" => image.dc_location = read.text(field)?.unwrap_or_default(),
                "family" => {
                    let word = read.text(field)?.unwrap_or_default();
                    let family = Family::read(&word)
                        .ok_or_else(|| DriftError::Form("Family must be Linux, Windows or Bsd".to_owned()))?;
                    image.family = family;
                }
                _ => {
                    return Err(DriftError::Form(format!("an image has no field {field:?} that can be set")));
                }
            }
        }
        Ok(image)
    }
}
