//! The runtime's own functions that the program calls. The program runs nowhere else; on the host it
//! is only compiled, for lints, and there these do nothing useful.

#[cfg(target_arch = "bpf")]
mod here {
    use pinocchio::Address;

    /// The PDA of the seeds and its canonical bump: at least 1,500 CU.
    pub fn find_program_address(seeds: &[&[u8]], program_id: &Address) -> (Address, u8) {
        Address::find_program_address(seeds, program_id)
    }

    /// The address of one seed with a known bump: `sha256(seed, bump, program id, marker)`, about
    /// 200 CU. It is not checked to be off the curve: whoever found the bump has done that.
    pub fn derive_address(seed: &[u8], bump: u8, program_id: &Address) -> Address {
        let bump = [bump];
        let parts: [&[u8]; 4] = [seed, &bump, program_id.as_array(), b"ProgramDerivedAddress"];
        let mut hash = [0; 32];
        // SAFETY: the syscall reads `parts.len()` pairs of address and length, which is how this
        // platform lays a slice reference out, the bytes they point to, and writes 32 bytes.
        unsafe {
            pinocchio::syscalls::sol_sha256(
                parts.as_ptr().cast(),
                parts.len() as u64,
                hash.as_mut_ptr(),
            );
        }
        Address::new_from_array(hash)
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

#[cfg(not(target_arch = "bpf"))]
mod here {
    use core::hint::black_box;

    use pinocchio::Address;

    pub fn find_program_address(seeds: &[&[u8]], program_id: &Address) -> (Address, u8) {
        (*black_box((seeds, program_id)).1, 0)
    }

    pub fn derive_address(seed: &[u8], bump: u8, program_id: &Address) -> Address {
        *black_box((seed, bump, program_id)).2
    }

    pub fn log_data(bytes: &[u8]) {
        black_box(bytes);
    }
}

pub use here::{derive_address, find_program_address, log_data};
