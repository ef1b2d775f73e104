// A market from its creation to the claim, by Anchor's TypeScript client: node life.mjs SCENE.json
//
// The last line that it prints says what it read, as JSON: names in snake_case, numbers as text,
// bytes in hex.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import anchor from "@coral-xyz/anchor";

const { AnchorProvider, BN, EventParser, Program, Wallet, web3 } = anchor;
const { Connection, Keypair, PublicKey } = web3;
const TOKEN_PROGRAM = new PublicKey("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");

const scene = JSON.parse(readFileSync(process.argv[2]));
const stable = scene.kind === "stable";
const keys = Object.fromEntries(
  Object.entries(scene.keys).map(([name, raw]) => [name, Keypair.fromSecretKey(Uint8Array.from(raw))]),
);
const tokens = Object.fromEntries(
  Object.entries(scene.tokens).map(([name, text]) => [name, new PublicKey(text)]),
);
const connection = new Connection(scene.rpc, "confirmed");
const provider = new AnchorProvider(connection, new Wallet(keys.authority), {
  commitment: "confirmed",
  preflightCommitment: "confirmed",
});
const idl = { ...JSON.parse(readFileSync(scene.idl)), address: scene.program };
const program = new Program(idl, provider);

function derived(...seeds) {
  return PublicKey.findProgramAddressSync(seeds, program.programId)[0];
}

// Accounts that only Stable markets take.
function money(more = {}) {
  const names = { ...more, tokenProgram: TOKEN_PROGRAM };
  return stable ? names : Object.fromEntries(Object.keys(names).map((name) => [name, null]));
}

// The localnet's own method.
async function advance(seconds) {
  const body = { jsonrpc: "2.0", id: 1, method: "localnet_advanceClock", params: [{ seconds }] };
  const answer = await fetch(scene.rpc, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok("result" in (await answer.json()));
}

function plain(value) {
  if (typeof value === "boolean") return value;
  if (typeof value === "number" || BN.isBN(value)) return value.toString();
  if (value instanceof PublicKey) return value.toBase58();
  if (Array.isArray(value) || value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  const entries = Object.entries(value);
  if (entries.length === 1 && Object.keys(entries[0][1]).length === 0) {
    return entries[0][0].toLowerCase(); // a variant of an enum
  }
  return Object.fromEntries(entries.map(([name, inner]) => [snake(name), plain(inner)]));
}

function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, "");
}

// Addresses that the IDL derives are left to the client.
const { terms, bets } = scene;
const who = Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, key.publicKey]));
const number = new BN(scene.market_id);
const market = derived(Buffer.from("market"), number.toArrayLike(Buffer, "le", 8), who.authority.toBuffer());
const vaults = {
  yes: derived(Buffer.from("yes_vault"), market.toBuffer()),
  no: derived(Buffer.from("no_vault"), market.toBuffer()),
};

const { pubkeys } = await program.methods
  .createMarket(
    number,
    stable ? { stable: {} } : { degen: {} },
    new BN(terms.betting_ends_at),
    new BN(terms.resolution_time),
    new PublicKey(terms.oracle),
    terms.title,
    terms.description,
    terms.category,
    terms.metadata_uri,
  )
  .accounts({ authority: who.authority, ...money({ mint: new PublicKey(scene.mint) }) })
  .rpcAndKeys();
assert.ok(pubkeys.market.equals(market));

const { termsVersion } = await program.account.market.fetch(market);
for (const name of ["yes", "no"]) {
  await program.methods
    .placeBet({ [name]: {} }, new BN(bets[name]), new BN(0), termsVersion)
    .accounts({ user: who[name], market, vault: vaults[name], ...money({ userToken: tokens[name] }) })
    .signers([keys[name]])
    .rpc();
}
await advance(3_700);
await program.methods
  .resolveMarket({ yes: {} })
  .accounts({ resolver: who.resolver, market })
  .signers([keys.resolver])
  .rpc();
await advance((await program.account.market.fetch(market)).disputeWindow.toNumber());
await program.methods
  .finalizeMarket()
  .accounts({ user: who.no, market, ...money() })
  .signers([keys.no])
  .rpc();
const claim = await program.methods
  .claimWinnings()
  .accounts({ user: who.yes, market, vault: vaults.yes, ...money({ receiverToken: tokens.yes }) })
  .rpcAndKeys();

const read = {
  global_config: await program.account.globalConfig.fetch(pubkeys.config),
  market: await program.account.market.fetch(market),
  position: await program.account.position.fetch(claim.pubkeys.position),
};
const landed = await connection.getTransaction(claim.signature, {
  commitment: "confirmed",
  maxSupportedTransactionVersion: 0,
});
const [event] = new EventParser(program.programId, program.coder).parseLogs(landed.meta.logMessages);
const told = Object.fromEntries(Object.entries(read).map(([name, account]) => [name, plain(account)]));
told.event = { name: event.name, ...plain(event.data) };
console.log(JSON.stringify(told));
process.exit(0); // the client's WebSocket stays open
