//! Borsh for types of fixed length, and the description of each type for the IDL.
//!
//! Integers are little endian without padding, an enum is one byte, a struct is its fields in the
//! order of declaration (source: the Borsh specification). Nothing is copied twice and nothing
//! needs an allocator.

use crate::discriminator::{DISCRIMINATOR_LEN, Discriminator};
use crate::in_place::InPlace;

/// A value with a Borsh form of exactly [`Wire::LEN`] bytes.
pub trait Wire: Sized {
    /// Length of the Borsh form in bytes.
    const LEN: usize;
    /// What the IDL says about the type.
    const TYPE: Type;

    /// The value in `bytes`; none when the length is not [`Wire::LEN`] or a byte is no value of
    /// the type (an unknown enum variant).
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Writes the Borsh form to `out`; none, with `out` partly written, when its length is not
    /// [`Wire::LEN`].
    fn write(&self, out: &mut [u8]) -> Option<()>;

    /// Whether there is a value in `bytes`.
    #[inline(always)]
    fn valid(bytes: &[u8]) -> bool {
        Self::read(bytes).is_some()
    }
}

/// A value that travels behind its discriminator: an account, instruction data or an event.
pub trait Tagged: Wire {
    /// The eight bytes in front.
    const DISCRIMINATOR: Discriminator;
    /// Length with the discriminator in bytes.
    #[allow(clippy::arithmetic_side_effects)] // a constant: an overflow does not compile
    const TAGGED_LEN: usize = DISCRIMINATOR_LEN + Self::LEN;

    /// The value behind the discriminator in `bytes`.
    ///
    /// # Errors
    /// [`Mismatch::Discriminator`] when the first eight bytes differ or are missing,
    /// [`Mismatch::Content`] when the rest has another length or holds no valid value.
    #[inline(always)]
    fn read_tagged(bytes: &[u8]) -> Result<Self, Mismatch> {
        match bytes.split_first_chunk::<DISCRIMINATOR_LEN>() {
            Some((tag, content)) if *tag == Self::DISCRIMINATOR => {
                Self::read(content).ok_or(Mismatch::Content)
            }
            _ => Err(Mismatch::Discriminator),
        }
    }

    /// Writes discriminator and value to `out`; none when its length is not
    /// [`Tagged::TAGGED_LEN`].
    #[inline(always)]
    fn write_tagged(&self, out: &mut [u8]) -> Option<()> {
        let (tag, content) = out.split_first_chunk_mut::<DISCRIMINATOR_LEN>()?;
        *tag = Self::DISCRIMINATOR;
        self.write(content)
    }
}

/// Why bytes are not the value they were taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Another kind of account, instruction or event, or less than eight bytes.
    Discriminator,
    /// The right kind, but of another length or with an invalid value.
    Content,
}

/// A Solana address. A type of its own, so that the IDL can tell it from 32 arbitrary bytes.
#[derive(Clone, Copy, Debug, Eq)]
#[repr(transparent)]
pub struct Key(pub [u8; 32]);

/// Word by word: what is derived calls a function, which on chain costs more than the comparison.
impl PartialEq for Key {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.words(), other.words());
        a == e && b == f && c == g && d == h
    }
}

impl Key {
    #[inline(always)]
    const fn words(&self) -> [u64; 4] {
        match self.0.as_chunks() {
            ([a, b, c, d], []) => [
                u64::from_le_bytes(*a),
                u64::from_le_bytes(*b),
                u64::from_le_bytes(*c),
                u64::from_le_bytes(*d),
            ],
            _ => unreachable!(),
        }
    }

    /// 32 zero bytes: stands for "none". It is also the address of the System program, which can
    /// sign for nothing.
    pub const ZERO: Self = Self([0; 32]);
}

/// What the IDL says about a type.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A number, named as Rust and the IDL name it.
    Number(&'static str),
    /// A Solana address.
    Key,
    /// True or false, one byte.
    Truth,
    /// That many bytes.
    Bytes(usize),
    /// A text behind its length (u32), in arguments only.
    Text,
    /// A struct or enum of this interface.
    Defined(&'static Definition),
}

/// A struct or an enum.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// The type's name.
    pub name: &'static str,
    /// Lines of its doc comment.
    pub docs: &'static [&'static str],
    /// Its fields or variants.
    pub shape: Shape,
}

/// Fields of a struct or variants of an enum.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Fields in the order of their bytes.
    Struct(&'static [Field]),
    /// Variants, numbered from zero.
    Enum(&'static [&'static str]),
}

/// A field of a struct, or an argument of an instruction.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// Lines of its doc comment.
    pub docs: &'static [&'static str],
    /// The field's type.
    pub ty: Type,
}

macro_rules! numbers {
    ($($number:ident)+) => {$(
        impl Wire for $number {
            const LEN: usize = size_of::<$number>();
            const TYPE: Type = Type::Number(stringify!($number));

            #[inline(always)]
            fn read(bytes: &[u8]) -> Option<Self> {
                Some($number::from_le_bytes(bytes.try_into().ok()?))
            }

            #[inline(always)]
            fn write(&self, out: &mut [u8]) -> Option<()> {
                *<&mut [u8; size_of::<$number>()]>::try_from(out).ok()? = self.to_le_bytes();
                Some(())
            }

            #[inline(always)]
            fn valid(bytes: &[u8]) -> bool {
                bytes.len() == Self::LEN
            }
        }

        // SAFETY: a number; little endian as is the machine.
        unsafe impl InPlace for $number {}
    )+};
}
numbers!(u8 u16 u32 u64 u128 i64);

impl Wire for bool {
    const LEN: usize = 1;
    const TYPE: Type = Type::Truth;

    #[inline(always)]
    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    #[inline(always)]
    fn write(&self, out: &mut [u8]) -> Option<()> {
        u8::from(*self).write(out)
    }
}

// SAFETY: one byte, 0 or 1.
unsafe impl InPlace for bool {}

impl<const N: usize> Wire for [u8; N] {
    const LEN: usize = N;
    const TYPE: Type = Type::Bytes(N);

    #[inline(always)]
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }

    #[inline(always)]
    fn write(&self, out: &mut [u8]) -> Option<()> {
        *<&mut [u8; N]>::try_from(out).ok()? = *self;
        Some(())
    }

    #[inline(always)]
    fn valid(bytes: &[u8]) -> bool {
        bytes.len() == Self::LEN
    }
}

// SAFETY: an array of bytes.
unsafe impl<const N: usize> InPlace for [u8; N] {}

impl Wire for Key {
    const LEN: usize = 32;
    const TYPE: Type = Type::Key;

    #[inline(always)]
    fn read(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::read(bytes).map(Self)
    }

    #[inline(always)]
    fn write(&self, out: &mut [u8]) -> Option<()> {
        self.0.write(out)
    }

    #[inline(always)]
    fn valid(bytes: &[u8]) -> bool {
        bytes.len() == Self::LEN
    }
}

// SAFETY: transparent around an array of bytes.
unsafe impl InPlace for Key {}
