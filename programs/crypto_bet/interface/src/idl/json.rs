//! Just enough JSON to print an IDL with a stable order of keys.

/// A JSON value.
pub enum Json {
    /// `true`
    True,
    /// `false`
    False,
    /// A whole number.
    Number(u64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in the order of printing.
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().to_owned())
    }

    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }

    pub fn object(members: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Object(members.into_iter().collect())
    }

    /// The value over several lines, two spaces per level, with a newline at the end. Lists of
    /// numbers stay on their line.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, 0);
        out.push('\n');
        out
    }

    fn print(&self, out: &mut String, depth: usize) {
        match self {
            Self::True => out.push_str("true"),
            Self::False => out.push_str("false"),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => print_text(out, text),
            Self::List(items) if items.iter().all(|item| matches!(item, Self::Number(_))) => {
                let numbers: Vec<String> = items.iter().map(Self::on_one_line).collect();
                out.push_str(&format!("[{}]", numbers.join(", ")));
            }
            Self::List(items) => print_lines(out, depth, ['[', ']'], items, |out, item, depth| {
                item.print(out, depth);
            }),
            Self::Object(members) => {
                print_lines(
                    out,
                    depth,
                    ['{', '}'],
                    members,
                    |out, (key, value), depth| {
                        print_text(out, key);
                        out.push_str(": ");
                        value.print(out, depth);
                    },
                );
            }
        }
    }

    fn on_one_line(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, 0);
        out
    }
}

fn print_lines<T>(
    out: &mut String,
    depth: usize,
    [open, close]: [char; 2],
    items: &[T],
    print: impl Fn(&mut String, &T, usize),
) {
    out.push(open);
    let inner = depth.saturating_add(1);
    for (i, item) in items.iter().enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(inner));
        print(out, item, inner);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push(close);
}

fn print_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn quotes_and_controls_are_escaped() {
        assert_eq!(Json::text("a\"b\\c\n").pretty(), "\"a\\\"b\\\\c\\u000a\"\n");
    }

    #[test]
    fn empty_lists_stay_on_their_line() {
        assert_eq!(
            Json::object([("a", Json::list([]))]).pretty(),
            "{\n  \"a\": []\n}\n"
        );
    }
}
