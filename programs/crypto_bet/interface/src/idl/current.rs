//! Anchor's specification 0.1.0: names as in Rust, discriminators written out, PDAs described
//! (source: the crate `anchor-lang-idl-spec`).

use super::{
    NAME, account_types, argument_types, bytes, definition, docs, errors, event_types, fields,
    instructions, json::Json, mentioned_types, variants,
};
use crate::discriminator::Discriminator;
use crate::events::EVENTS;
use crate::seeds::{SYSTEM_PROGRAM, SeedSpec};
use crate::spec::{AccountSpec, InstructionSpec};
use crate::state::ACCOUNTS;
use crate::wire::{Definition, Field, Shape, Type};

/// Base58 of 32 zero bytes: the System program, or "no address" where a program id is expected.
const ZERO_ADDRESS: &str = "11111111111111111111111111111111";

pub fn program() -> Json {
    let types = mentioned_types(argument_types().chain(account_types()).chain(event_types()));
    Json::object([
        ("address", Json::text(ZERO_ADDRESS)),
        (
            "metadata",
            Json::object([
                ("name", Json::text(NAME)),
                ("version", Json::text(env!("CARGO_PKG_VERSION"))),
                ("spec", Json::text("0.1.0")),
                (
                    "description",
                    Json::text("Parimutuel prediction markets on Solana"),
                ),
            ]),
        ),
        (
            "docs",
            Json::list([Json::text(
                "The address is not the program's: each environment has its own.",
            )]),
        ),
        ("instructions", instructions(instruction)),
        ("accounts", tags(ACCOUNTS)),
        ("events", tags(EVENTS)),
        ("errors", errors()),
        ("types", Json::list(types.into_iter().map(type_definition))),
    ])
}

fn tags(list: &[(Discriminator, Type)]) -> Json {
    Json::list(list.iter().map(|(discriminator, ty)| {
        Json::object([
            ("name", Json::text(definition(*ty).name)),
            ("discriminator", bytes(discriminator)),
        ])
    }))
}

fn instruction(spec: &InstructionSpec) -> Json {
    let arguments = definition(spec.arguments);
    Json::object([
        ("name", Json::text(arguments.name)),
        ("docs", docs(arguments.docs)),
        ("discriminator", bytes(&spec.discriminator)),
        ("accounts", Json::list(spec.accounts.iter().map(account))),
        ("args", Json::list(fields(spec.arguments).iter().map(field))),
    ])
}

fn account(spec: &AccountSpec) -> Json {
    let mut members = vec![("name", Json::text(spec.name)), ("docs", docs(spec.docs))];
    if spec.writable {
        members.push(("writable", Json::True));
    }
    if spec.signer {
        members.push(("signer", Json::True));
    }
    if spec.optional {
        members.push(("optional", Json::True));
    }
    if let Some(seeds) = spec.pda {
        let seeds = seeds.iter().map(|seed| {
            let (kind, key, value) = match seed {
                SeedSpec::Constant(value) => ("const", "value", bytes(value)),
                SeedSpec::Argument(name) => ("arg", "path", Json::text(name)),
                SeedSpec::Account(name) => ("account", "path", Json::text(name)),
            };
            Json::object([("kind", Json::text(kind)), (key, value)])
        });
        members.push(("pda", Json::object([("seeds", Json::list(seeds))])));
    }
    if let Some(address) = spec.address {
        // base58 of other addresses is not needed so far
        assert!(
            address == SYSTEM_PROGRAM,
            "only the System program can be named"
        );
        members.push(("address", Json::text(ZERO_ADDRESS)));
    }
    Json::Object(members)
}

fn type_definition(definition: &'static Definition) -> Json {
    let shape = match definition.shape {
        Shape::Struct(fields) => Json::object([
            ("kind", Json::text("struct")),
            ("fields", Json::list(fields.iter().map(field))),
        ]),
        Shape::Enum(names) => {
            Json::object([("kind", Json::text("enum")), ("variants", variants(names))])
        }
    };
    Json::object([
        ("name", Json::text(definition.name)),
        ("docs", docs(definition.docs)),
        ("type", shape),
    ])
}

fn field(field: &Field) -> Json {
    Json::object([
        ("name", Json::text(field.name)),
        ("docs", docs(field.docs)),
        ("type", type_name(field.ty)),
    ])
}

fn type_name(ty: Type) -> Json {
    match ty {
        Type::Number(name) => Json::text(name),
        Type::Key => Json::text("pubkey"),
        Type::Truth => Json::text("bool"),
        Type::Text => Json::text("string"),
        Type::Bytes(length) => Json::object([(
            "array",
            Json::list([Json::text("u8"), Json::Number(length as u64)]),
        )]),
        Type::Defined(definition) => Json::object([(
            "defined",
            Json::object([("name", Json::text(definition.name))]),
        )]),
    }
}
