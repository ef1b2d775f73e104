//! The macros behind the declarations of this crate. Each takes one declaration and yields the Rust
//! type, its Borsh form, its offsets and its description for the IDL, so that none of these can
//! disagree with another.

/// A struct of fixed length: `record! { struct Name, NameOffsets { field: Type, ... } }`.
///
/// Yields the struct, its [`Wire`](crate::wire::Wire) form and `Name::OFFSETS`, where each field's
/// first byte is, counted from the struct's own first byte.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        struct $name:ident, $offsets:ident {
            $($(#[doc = $field_doc:literal])* $field:ident: $ty:ty,)+
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C, packed)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $ty,)+
        }

        // SAFETY: packed, in the order of Borsh, and each field lies as Borsh writes it.
        unsafe impl $crate::in_place::InPlace for $name {}
        const _: () = {
            const fn lies_as_borsh_writes_it<T: $crate::in_place::InPlace>() {}
            $(lies_as_borsh_writes_it::<$ty>();)+
        };

        #[doc = concat!("First byte of each field of [`", stringify!($name), "`].")]
        #[derive(Clone, Copy, Debug)]
        pub struct $offsets {
            $(#[doc = concat!("First byte of `", stringify!($field), "`.")] pub $field: usize,)+
        }

        impl $name {
            #[doc = "First byte of each field, counted from the first byte of the struct."]
            #[allow(clippy::arithmetic_side_effects)] // a constant: an overflow does not compile
            pub const OFFSETS: $offsets = {
                let end = 0;
                $(
                    let $field = end;
                    let end = end + <$ty as $crate::wire::Wire>::LEN;
                )+
                let _ = end;
                $offsets { $($field,)+ }
            };
        }

        impl $crate::wire::Wire for $name {
            #[allow(clippy::arithmetic_side_effects)] // a constant: an overflow does not compile
            const LEN: usize = 0 $(+ <$ty as $crate::wire::Wire>::LEN)+;
            const TYPE: $crate::wire::Type =
                $crate::wire::Type::Defined(&$crate::wire::Definition {
                    name: stringify!($name),
                    docs: &[$($doc),*],
                    shape: $crate::wire::Shape::Struct(&[$($crate::wire::Field {
                        name: stringify!($field),
                        docs: &[$($field_doc),*],
                        ty: <$ty as $crate::wire::Wire>::TYPE,
                    },)+]),
                });

            #[inline(always)]
            fn read(bytes: &[u8]) -> Option<Self> {
                $(let ($field, bytes) = bytes.split_at_checked(<$ty as $crate::wire::Wire>::LEN)?;)+
                if !bytes.is_empty() {
                    return None;
                }
                Some(Self { $($field: <$ty as $crate::wire::Wire>::read($field)?,)+ })
            }

            #[inline(always)]
            fn write(&self, out: &mut [u8]) -> Option<()> {
                $(
                    let ($field, out) =
                        out.split_at_mut_checked(<$ty as $crate::wire::Wire>::LEN)?;
                )+
                if !out.is_empty() {
                    return None;
                }
                $(
                    let value = self.$field; // a field of a packed struct cannot be referred to
                    $crate::wire::Wire::write(&value, $field)?;
                )+
                Some(())
            }

            #[inline(always)]
            fn valid(bytes: &[u8]) -> bool {
                $(
                    let Some(($field, bytes)) =
                        bytes.split_at_checked(<$ty as $crate::wire::Wire>::LEN)
                    else {
                        return false;
                    };
                    if !<$ty as $crate::wire::Wire>::valid($field) {
                        return false;
                    }
                )+
                bytes.is_empty()
            }
        }
    };
}

/// An enum without contents, one byte: `choice! { enum Name { First, Second } }`. Variants are
/// numbered from zero and ordered as written.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        enum $name:ident {
            $($(#[doc = $variant_doc:literal])* $variant:ident,)+
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name {
            $($(#[doc = $variant_doc])* $variant,)+
        }

        impl $crate::wire::Wire for $name {
            const LEN: usize = 1;
            const TYPE: $crate::wire::Type =
                $crate::wire::Type::Defined(&$crate::wire::Definition {
                    name: stringify!($name),
                    docs: &[$($doc),*],
                    shape: $crate::wire::Shape::Enum(&[$(stringify!($variant),)+]),
                });

            #[inline(always)]
            fn read(bytes: &[u8]) -> Option<Self> {
                match bytes {
                    $([number] if *number == Self::$variant as u8 => Some(Self::$variant),)+
                    _ => None,
                }
            }

            #[inline(always)]
            fn write(&self, out: &mut [u8]) -> Option<()> {
                (*self as u8).write(out)
            }
        }

        // SAFETY: one byte.
        unsafe impl $crate::in_place::InPlace for $name {}
    };
}

/// Kinds of accounts or events: `tagged! { "account": struct Name, NameOffsets { ... } ... }`; with
/// `"event" as EVENTS:` also their list, in the order in which the IDL has them.
macro_rules! tagged {
    (
        $namespace:literal as $list:ident: $(
            $(#[doc = $doc:literal])*
            struct $name:ident, $offsets:ident { $($content:tt)+ }
        )+
    ) => {
        tagged! { $namespace: $($(#[doc = $doc])* struct $name, $offsets { $($content)+ })+ }

        #[doc = "What the IDL lists, with the discriminators."]
        pub const $list: &[($crate::discriminator::Discriminator, $crate::wire::Type)] = &[$((
            <$name as $crate::wire::Tagged>::DISCRIMINATOR,
            <$name as $crate::wire::Wire>::TYPE,
        ),)+];
    };
    (
        $namespace:literal: $(
            $(#[doc = $doc:literal])*
            struct $name:ident, $offsets:ident { $($content:tt)+ }
        )+
    ) => {
        $(
            record! {
                $(#[doc = $doc])*
                struct $name, $offsets { $($content)+ }
            }

            impl $crate::wire::Tagged for $name {
                const DISCRIMINATOR: $crate::discriminator::Discriminator =
                    $crate::discriminator::discriminator($namespace, stringify!($name));
            }
        )+
    };
}

/// The instructions: `name as Type (argument: Type) { account: [flags], ... }`; `Type<'a>` when an
/// argument is a text.
///
/// Yields for each a struct of its arguments, whose discriminator is Anchor's `global:name`, and
/// `Type::ACCOUNTS`. Flags are `signer`, `writable`, `pda(SEEDS)`, `address(KEY)` and `optional`
/// (at the end only).
macro_rules! instructions {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident as $type:ident $(<$life:lifetime>)?
        ($($(#[doc = $arg_doc:literal])* $arg:ident: $arg_type:ty),*)
        {
            $($(#[doc = $account_doc:literal])* $account:ident: [$($flag:ident $(($value:expr))?),*],)+
        }
    )+) => {
        $(
            $(#[doc = $doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $type$(<$life>)? {
                $($(#[doc = $arg_doc])* pub $arg: $arg_type,)*
            }

            impl$(<$life>)? $type$(<$life>)? {
                #[doc = "First eight bytes of the instruction data."]
                pub const DISCRIMINATOR: Discriminator =
                    $crate::discriminator::discriminator("global", stringify!($name));

                #[doc = "The discriminator as a little-endian number."]
                pub const NUMBER: u64 = u64::from_le_bytes(Self::DISCRIMINATOR);

                #[doc = "The accounts, in the order in which the instruction takes them."]
                pub const ACCOUNTS: &'static [AccountSpec] = &[$({
                    #[allow(unused_mut)]
                    let mut spec = AccountSpec::new(stringify!($account), &[$($account_doc),*]);
                    $(instructions!(@set spec, $flag $(($value))?);)*
                    spec
                },)+];

                #[doc = "What is demanded of those that are never left out: the part of the above"]
                #[doc = "that belongs on the chain."]
                pub const DEMANDS: &'static [Demands] =
                    &demands::<{ needed($type::ACCOUNTS) }>(Self::ACCOUNTS);

                const TYPE: $crate::wire::Type =
                    $crate::wire::Type::Defined(&$crate::wire::Definition {
                        name: stringify!($name),
                        docs: &[$($doc),*],
                        shape: $crate::wire::Shape::Struct(&[$($crate::wire::Field {
                            name: stringify!($arg),
                            docs: &[$($arg_doc),*],
                            ty: <$arg_type as $crate::argument::Argument>::ARGUMENT_TYPE,
                        },)*]),
                    });
            }

            impl<'a> Arguments<'a> for $type$(<$life>)? {
                #[inline(always)]
                fn read(bytes: &'a [u8]) -> Option<Self> {
                    $(let ($arg, bytes) = $crate::argument::Argument::take(bytes)?;)*
                    if !bytes.is_empty() {
                        return None;
                    }
                    Some(Self { $($arg,)* })
                }

                #[inline(always)]
                fn put<'b>(&self, out: &'b mut [u8]) -> Option<&'b mut [u8]> {
                    $(let out = $crate::argument::Argument::put(&self.$arg, out)?;)*
                    Some(out)
                }
            }
        )+

        #[doc = "All instructions, in the order in which the IDL lists them."]
        pub const INSTRUCTIONS: &[InstructionSpec] = &[$(InstructionSpec {
            discriminator: $type::DISCRIMINATOR,
            arguments: $type::TYPE,
            accounts: $type::ACCOUNTS,
        },)+];
    };
    (@set $spec:ident, signer) => { $spec.signer = true };
    (@set $spec:ident, writable) => { $spec.writable = true };
    (@set $spec:ident, address($key:expr)) => { $spec.address = Some($key) };
    (@set $spec:ident, pda($seeds:expr)) => { $spec.pda = Some($seeds) };
    (@set $spec:ident, optional) => { $spec.optional = true };
}

/// Error numbers: `errors! { first 6000, list ERRORS, enum Name { Variant = "message", ... } }`.
macro_rules! errors {
    (
        first $first:literal, list $list:ident,
        $(#[doc = $doc:literal])*
        enum $name:ident {
            $head:ident = $head_message:literal,
            $($variant:ident = $message:literal,)+
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum $name {
            #[doc = $head_message]
            $head = $first,
            $(#[doc = $message] $variant,)+
        }

        #[doc = "Number, name and message of each error, as the IDL lists them."]
        pub const $list: &[(u32, &str, &str)] = &[
            ($name::$head as u32, stringify!($head), $head_message),
            $(($name::$variant as u32, stringify!($variant), $message),)+
        ];
    };
}
