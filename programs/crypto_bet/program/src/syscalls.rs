//! The runtime's own functions that the program calls. The program runs nowhere else; on the host it
//! is only compiled, for lints, and there these do nothing useful.

#[cfg(any(target_os = "solana", target_arch = "bpf"))]
mod here {
    use pinocchio::Address;

    /// Parts of a hash: at most three seeds, bump, program id and marker.
    const MAX_PARTS: usize = 6;

    /// The PDA of the seeds and its canonical bump: the highest whose address is not on the curve.
    /// About 270 CU for each bump tried, where the runtime's own search takes 1,500.
    #[inline(always)] // the number of seeds is then known
    pub fn find_program_address<const N: usize>(
        seeds: [&[u8]; N],
        program_id: &Address,
    ) -> Option<(Address, u8)> {
        let mut bump = u8::MAX;
        loop {
            let address = derive_address(seeds, bump, program_id);
            if !is_on_curve(&address) {
                return Some((address, bump));
            }
            bump = bump.checked_sub(1)?;
        }
    }

    /// The address of the seeds with a known bump: `sha256(seeds, bump, program id, marker)`, about
    /// 150 CU. It is not checked to be off the curve: whoever found the bump has done that.
    #[inline(always)] // the number of seeds is then known
    pub fn derive_address<const N: usize>(
        seeds: [&[u8]; N],
        bump: u8,
        program_id: &Address,
    ) -> Address {
        let bump = [bump];
        let tail: [&[u8]; 3] = [&bump, program_id.as_array(), b"ProgramDerivedAddress"];
        let mut parts: [&[u8]; MAX_PARTS] = [&[]; MAX_PARTS];
        let mut count = 0u64;
        for (part, given) in parts.iter_mut().zip(seeds.into_iter().chain(tail)) {
            *part = given;
            count = count.wrapping_add(1);
        }
        let mut hash = [0; 32];
        // SAFETY: the syscall reads `count` pairs of address and length, which is how this platform
        // lays a slice reference out, the bytes they point to, and writes 32 bytes.
        unsafe {
            pinocchio::syscalls::sol_sha256(parts.as_ptr().cast(), count, hash.as_mut_ptr());
        }
        Address::new_from_array(hash)
    }

    /// Whether somebody could hold a key to the address: it is a point of Ed25519's curve.
    fn is_on_curve(address: &Address) -> bool {
        const EDWARDS: u64 = 0;
        const ON_CURVE: u64 = 0;
        // SAFETY: the syscall reads the 32 bytes of the address and writes nothing.
        let answer = unsafe {
            pinocchio::syscalls::sol_curve_validate_point(
                EDWARDS,
                address.as_array().as_ptr(),
                core::ptr::null_mut(),
            )
        };
        answer == ON_CURVE
    }

    /// Writes a `Program data:` line: 100 CU and one per byte.
    pub fn log_data(bytes: &[u8]) {
        let parts: [&[u8]; 1] = [bytes];
        // SAFETY: the syscall reads `parts.len()` pairs of address and length, which is how this
        // platform lays a slice reference out, and the bytes they point to.
        unsafe {
            pinocchio::syscalls::sol_log_data(parts.as_ptr().cast(), parts.len() as u64);
        }
    }
}

#[cfg(not(any(target_os = "solana", target_arch = "bpf")))]
mod here {
    use core::hint::black_box;

    use pinocchio::Address;

    pub fn find_program_address<const N: usize>(
        seeds: [&[u8]; N],
        program_id: &Address,
    ) -> Option<(Address, u8)> {
        Some((*black_box((seeds, program_id)).1, 0))
    }

    pub fn derive_address<const N: usize>(
        seeds: [&[u8]; N],
        bump: u8,
        program_id: &Address,
    ) -> Address {
        *black_box((seeds, bump, program_id)).2
    }

    pub fn log_data(bytes: &[u8]) {
        black_box(bytes);
    }
}

pub use here::{derive_address, find_program_address, log_data};
