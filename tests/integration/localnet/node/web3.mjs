// @solana/web3.js 1.x against a localnet: node web3.mjs RPC-URL
import assert from "node:assert/strict";
import {
  Connection,
  Keypair,
  LAMPORTS_PER_SOL,
  PublicKey,
  SystemProgram,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
  sendAndConfirmTransaction,
} from "@solana/web3.js";

const SOL = LAMPORTS_PER_SOL;
// No WebSocket URL: the client derives it, as it does for everybody.
const connection = new Connection(process.argv[2], "confirmed");
const payer = Keypair.generate();
const to = Keypair.generate();
const confirmed = [];

// Resolves with the arguments of the first call, and gives up after a while.
function heard(what, subscribe) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} was not heard of`)), 60_000);
    subscribe((...told) => {
      clearTimeout(timer);
      resolve(told);
    });
  });
}

async function airdrop() {
  const signature = await connection.requestAirdrop(payer.publicKey, 10 * SOL);
  const latest = await connection.getLatestBlockhash();
  const { value } = await connection.confirmTransaction({ signature, ...latest }, "confirmed");
  assert.equal(value.err, null);
  assert.equal(await connection.getBalance(payer.publicKey), 10 * SOL);
}

async function subscriptions() {
  const ids = {};
  const account = heard("the account", (told) => {
    ids.account = connection.onAccountChange(to.publicKey, told, { commitment: "confirmed" });
  });
  const logs = heard("the logs", (told) => {
    ids.logs = connection.onLogs(to.publicKey, told, "confirmed");
  });
  const slot = heard("a slot", (told) => {
    ids.slot = connection.onSlotChange(told);
  });
  const root = heard("a root", (told) => {
    ids.root = connection.onRootChange(told);
  });
  const program = heard("the program's account", (told) => {
    ids.program = connection.onProgramAccountChange(
      SystemProgram.programId,
      (changed, context) => changed.accountId.equals(to.publicKey) && told(changed, context),
      { commitment: "processed" },
    );
  });
  await slot; // the connection is open, so what comes now is not missed

  const pay = SystemProgram.transfer({
    fromPubkey: payer.publicKey,
    toPubkey: to.publicKey,
    lamports: SOL,
  });
  const signature = await sendAndConfirmTransaction(
    connection,
    new Transaction().add(pay),
    [payer],
    { commitment: "confirmed" },
  );
  confirmed.push(signature);

  const [changed, context] = await account;
  assert.equal(changed.lamports, SOL);
  assert.equal(changed.owner.toBase58(), SystemProgram.programId.toBase58());
  assert.ok(context.slot > 0);
  const [said] = await logs;
  assert.equal(said.signature, signature);
  assert.equal(said.err, null);
  assert.ok(said.logs.some((line) => line.endsWith("success")));
  const [keyed] = await program;
  assert.equal(keyed.accountInfo.lamports, SOL);
  const [info] = await slot;
  assert.equal(info.parent, info.slot - 1);
  assert.ok((await root)[0] <= info.slot + 200);

  const final = await heard("the signature", (told) => {
    connection.onSignatureWithOptions(
      signature,
      (notification, where) => notification.type === "status" && told(notification, where),
      { commitment: "finalized", enableReceivedNotification: true },
    );
  });
  assert.equal(final[0].result.err, null);
  await connection.removeAccountChangeListener(ids.account);
  await connection.removeOnLogsListener(ids.logs);
  await connection.removeSlotChangeListener(ids.slot);
  await connection.removeRootChangeListener(ids.root);
  await connection.removeProgramAccountChangeListener(ids.program);
}

async function versionZero() {
  const latest = await connection.getLatestBlockhash();
  const message = new TransactionMessage({
    payerKey: payer.publicKey,
    recentBlockhash: latest.blockhash,
    instructions: [
      SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to.publicKey, lamports: 7 }),
    ],
  }).compileToV0Message();
  const transaction = new VersionedTransaction(message);
  transaction.sign([payer]);
  const simulated = await connection.simulateTransaction(transaction);
  assert.equal(simulated.value.err, null);
  const signature = await connection.sendTransaction(transaction);
  const { value } = await connection.confirmTransaction({ signature, ...latest });
  assert.equal(value.err, null);
  confirmed.push(signature);
}

async function foundAgain() {
  const [legacy, zero] = await Promise.all(
    confirmed.map((signature) =>
      connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 }),
    ),
  );
  assert.equal(legacy.version, "legacy");
  assert.equal(zero.version, 0);
  for (const found of [legacy, zero]) {
    assert.equal(found.meta.err, null);
    assert.equal(found.meta.fee, 5_000);
    assert.ok(found.blockTime > 0);
    assert.equal(found.transaction.message.header.numRequiredSignatures, 1);
  }
  assert.equal(await connection.getBalance(to.publicKey), SOL + 7);
  const listed = await connection.getSignaturesForAddress(to.publicKey);
  assert.deepEqual(listed.map((item) => item.signature), [...confirmed].reverse());
  const { value } = await connection.getSignatureStatuses(confirmed);
  assert.ok(value.every((status) => status.err === null && status.slot > 0));
}

async function programAccounts() {
  const loader = new PublicKey("BPFLoaderUpgradeab1e11111111111111111111111");
  const programs = await connection.getProgramAccounts(loader, {
    filters: [{ dataSize: 36 }, { memcmp: { offset: 0, bytes: "3" } }],
  });
  // The state's first byte is 2 (a program), which is "3" in base58.
  assert.ok(programs.length > 0);
  assert.ok(programs.every((item) => item.account.data.length === 36));
}

async function refusals() {
  const poor = Keypair.generate();
  const pay = SystemProgram.transfer({
    fromPubkey: payer.publicKey,
    toPubkey: poor.publicKey,
    lamports: 1_000 * SOL,
  });
  await assert.rejects(
    sendAndConfirmTransaction(connection, new Transaction().add(pay), [payer]),
    /custom program error: 0x1/,
  );
}

const parts = [airdrop, subscriptions, versionZero, foundAgain, programAccounts, refusals];
for (const part of parts) {
  await part();
  console.log(`ok ${part.name}`);
}
process.exit(0); // the client reconnects for ever
