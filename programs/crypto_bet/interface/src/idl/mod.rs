//! The IDL files, printed from the declarations of this crate.

mod current;
mod json;
mod legacy;

use json::Json;

use crate::errors::ERRORS;
use crate::events::EVENTS;
use crate::instructions::INSTRUCTIONS;
use crate::spec::InstructionSpec;
use crate::state::ACCOUNTS;
use crate::wire::{Definition, Field, Shape, Type};

/// The program's name in the IDL.
const NAME: &str = "crypto_bet";

/// The IDL of Anchor's present specification, 0.1.0.
///
/// `address` is a string that the specification demands. It holds the default key: the program has
/// another id in every environment, and whoever uses the file says which.
#[must_use]
pub fn current() -> String {
    current::program().pretty()
}

/// The IDL as Anchor 0.29 wrote it, for tools such as anchorpy.
#[must_use]
pub fn legacy() -> String {
    legacy::program().pretty()
}

/// The description of a struct or enum.
fn definition(ty: Type) -> &'static Definition {
    match ty {
        Type::Defined(definition) => definition,
        _ => unreachable!("only structs and enums are declared"),
    }
}

/// The fields of a struct.
fn fields(ty: Type) -> &'static [Field] {
    match definition(ty).shape {
        Shape::Struct(fields) => fields,
        Shape::Enum(_) => unreachable!("an enum has no fields"),
    }
}

/// Every struct and enum that accounts, arguments and events mention, sorted by name.
fn mentioned_types(roots: impl Iterator<Item = Type>) -> Vec<&'static Definition> {
    let mut found: Vec<&'static Definition> = Vec::new();
    let mut open: Vec<Type> = roots.collect();
    while let Some(ty) = open.pop() {
        let Type::Defined(definition) = ty else {
            continue;
        };
        if found.iter().any(|known| known.name == definition.name) {
            continue;
        }
        found.push(definition);
        if let Shape::Struct(fields) = definition.shape {
            open.extend(fields.iter().map(|field| field.ty));
        }
    }
    found.sort_by_key(|definition| definition.name);
    found
}

fn argument_types() -> impl Iterator<Item = Type> {
    INSTRUCTIONS
        .iter()
        .flat_map(|instruction| fields(instruction.arguments))
        .map(|argument| argument.ty)
}

fn account_types() -> impl Iterator<Item = Type> {
    ACCOUNTS.iter().map(|(_, ty)| *ty)
}

fn event_types() -> impl Iterator<Item = Type> {
    EVENTS.iter().map(|(_, ty)| *ty)
}

/// Doc comments as a JSON list; the space after `///` and empty lines go.
fn docs(lines: &[&str]) -> Json {
    Json::list(
        lines
            .iter()
            .map(|line| line.trim())
            .filter(|line| !line.is_empty())
            .map(Json::text),
    )
}

fn bytes(bytes: &[u8]) -> Json {
    Json::list(bytes.iter().map(|byte| Json::Number(u64::from(*byte))))
}

fn errors() -> Json {
    Json::list(ERRORS.iter().map(|(code, name, message)| {
        Json::object([
            ("code", Json::Number(u64::from(*code))),
            ("name", Json::text(name)),
            ("msg", Json::text(message)),
        ])
    }))
}

fn variants(names: &[&str]) -> Json {
    Json::list(
        names
            .iter()
            .map(|name| Json::object([("name", Json::text(name))])),
    )
}

fn instructions(describe: impl Fn(&InstructionSpec) -> Json) -> Json {
    Json::list(INSTRUCTIONS.iter().map(describe))
}
