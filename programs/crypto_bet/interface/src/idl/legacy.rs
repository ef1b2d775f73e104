//! The IDL of Anchor 0.29: names in camel case, no discriminators (a client hashes the names), no
//! address (source: `anchor-syn` 0.29, module `idl::types`).

use super::{
    NAME, account_types, argument_types, definition, docs, errors, event_types, fields,
    instructions, json::Json, mentioned_types, variants,
};
use crate::spec::{AccountSpec, InstructionSpec};
use crate::wire::{Definition, Field, Shape, Type};

pub fn program() -> Json {
    // accounts and events have lists of their own: `types` holds only what they and arguments use
    let tops: Vec<&str> = account_types()
        .chain(event_types())
        .map(|ty| definition(ty).name)
        .collect();
    let types = mentioned_types(argument_types().chain(account_types()).chain(event_types()))
        .into_iter()
        .filter(|definition| !tops.contains(&definition.name));
    Json::object([
        ("version", Json::text(env!("CARGO_PKG_VERSION"))),
        ("name", Json::text(NAME)),
        ("instructions", instructions(instruction)),
        (
            "accounts",
            Json::list(account_types().map(|ty| type_definition(definition(ty)))),
        ),
        ("types", Json::list(types.map(type_definition))),
        ("events", Json::list(event_types().map(event))),
        ("errors", errors()),
    ])
}

fn instruction(spec: &InstructionSpec) -> Json {
    let arguments = definition(spec.arguments);
    Json::object([
        ("name", Json::text(camel(arguments.name))),
        ("docs", docs(arguments.docs)),
        ("accounts", Json::list(spec.accounts.iter().map(account))),
        ("args", Json::list(fields(spec.arguments).iter().map(field))),
    ])
}

fn account(spec: &AccountSpec) -> Json {
    // unlike in the present specification, false is written out
    let flag = |set: bool| if set { Json::True } else { Json::False };
    let mut members = vec![
        ("name", Json::text(camel(spec.name))),
        ("isMut", flag(spec.writable)),
        ("isSigner", flag(spec.signer)),
    ];
    if spec.optional {
        members.push(("isOptional", Json::True));
    }
    members.push(("docs", docs(spec.docs)));
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

fn event(ty: Type) -> Json {
    let fields = fields(ty).iter().map(|field| {
        Json::object([
            ("name", Json::text(camel(field.name))),
            ("type", type_name(field.ty)),
            ("index", Json::False),
        ])
    });
    Json::object([
        ("name", Json::text(definition(ty).name)),
        ("fields", Json::list(fields)),
    ])
}

fn field(field: &Field) -> Json {
    Json::object([
        ("name", Json::text(camel(field.name))),
        ("docs", docs(field.docs)),
        ("type", type_name(field.ty)),
    ])
}

fn type_name(ty: Type) -> Json {
    match ty {
        Type::Number(name) => Json::text(name),
        Type::Key => Json::text("publicKey"),
        Type::Truth => Json::text("bool"),
        Type::Text => Json::text("string"),
        Type::Bytes(length) => Json::object([(
            "array",
            Json::list([Json::text("u8"), Json::Number(length as u64)]),
        )]),
        Type::Defined(definition) => Json::object([("defined", Json::text(definition.name))]),
    }
}

/// `snake_case` to `camelCase`.
fn camel(name: &str) -> String {
    let mut out = String::new();
    for word in name.split('_') {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            if out.is_empty() {
                out.push(first)
            } else {
                out.extend(first.to_uppercase())
            }
        }
        out.extend(letters);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::camel;

    #[test]
    fn names_become_camel_case() {
        assert_eq!(camel("initialize_program"), "initializeProgram");
        assert_eq!(camel("config"), "config");
    }
}
