"""Anchor IDLs, both kinds: spec 0.1.0 (Anchor 0.30 and later) and the older one (to 0.29).

`parse` reads one into plain types (`model`); `program.Program` encodes instructions, resolves
their accounts, decodes accounts, events and errors. Sources: the crate anchor-lang-idl-spec 0.1.0,
Anchor 0.29's `idl::types`, the Borsh specification.
"""
