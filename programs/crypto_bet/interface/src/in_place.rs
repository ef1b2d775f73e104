//! Values read and changed where they lie: an account's content is the value, without copying. This
//! module and `argument` hold the only unsafe code of this crate.

use crate::discriminator::{DISCRIMINATOR_LEN, Discriminator};
use crate::wire::{Mismatch, Tagged, Wire};

/// A value that lies in memory exactly as Borsh writes it, so that an account is read and changed
/// where it lies: copying a market would cost more than all that is done with it.
///
/// # Safety
/// The type has the size [`Wire::LEN`], the alignment 1 or a number's, no padding, and is a number, a
/// truth, an enum of one byte, an array of bytes, or a packed struct of such.
pub unsafe trait InPlace: Wire {}

#[cfg(not(target_endian = "little"))]
compile_error!(
    "Borsh is little endian; on this machine numbers do not lie in memory as it writes them"
);

/// Why a cast from bytes to `T` is one: the conditions of [`InPlace`] that the compiler can check.
#[allow(clippy::arithmetic_side_effects)]
pub(crate) const fn require_in_place<T: InPlace>() {
    assert!(size_of::<T>() == T::LEN && align_of::<T>() == 1);
}

/// The value behind the discriminator in `bytes`, where it lies.
///
/// # Errors
/// As [`Tagged::read_tagged`].
#[inline(always)]
pub fn view<T: Tagged + InPlace>(bytes: &[u8]) -> Result<&T, Mismatch> {
    const { require_in_place::<T>() };
    let content = content::<T>(bytes)?;
    // SAFETY: `content` has the size of T and holds a valid value; T has no alignment and no padding.
    Ok(unsafe { &*content.as_ptr().cast() })
}

/// The value behind the discriminator in `bytes`, to be changed where it lies.
///
/// # Errors
/// As [`Tagged::read_tagged`].
#[inline(always)]
pub fn view_mut<T: Tagged + InPlace>(bytes: &mut [u8]) -> Result<&mut T, Mismatch> {
    const { require_in_place::<T>() };
    content::<T>(bytes)?;
    let content = bytes
        .get_mut(DISCRIMINATOR_LEN..)
        .ok_or(Mismatch::Discriminator)?;
    // SAFETY: as for `view`; every value that can be written is valid as bytes.
    Ok(unsafe { &mut *content.as_mut_ptr().cast() })
}

#[inline(always)]
fn content<T: Tagged>(bytes: &[u8]) -> Result<&[u8], Mismatch> {
    match bytes.split_first_chunk::<DISCRIMINATOR_LEN>() {
        Some((tag, content)) if *tag == T::DISCRIMINATOR => {
            if content.len() == T::LEN && T::valid(content) {
                Ok(content)
            } else {
                Err(Mismatch::Content)
            }
        }
        _ => Err(Mismatch::Discriminator),
    }
}

/// A value with its discriminator in front, as one piece of memory.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed)]
pub struct Framed<T> {
    discriminator: Discriminator,
    content: T,
}

impl<T: Tagged + InPlace> Framed<T> {
    /// The value with its discriminator.
    #[inline(always)]
    pub const fn new(content: T) -> Self {
        const { require_in_place::<T>() };
        Self {
            discriminator: T::DISCRIMINATOR,
            content,
        }
    }

    /// The bytes that travel.
    #[inline(always)]
    pub const fn bytes(&self) -> &[u8] {
        // SAFETY: discriminator and content have no padding, and neither does the packed pair.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}
