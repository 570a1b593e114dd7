// The npm package `openai`, as it is, against a gateway process over scripted models; and the snippet that draws a
// retraction, over its chunks and over fetched bytes. `make clients-node` runs it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import { AnswerView, chunksOf, draw } from "../../../examples/retraction.mjs";

const RIGHT = "It is Canberra.";
const WRONG = "It is Sydney.";
const MARKER = "\n\n---\n[superseded by large]\n\n";
const TOOL = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

let gateway, process_, client;

before(async () => {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const python = process.env.STREAMROUTE_PYTHON ?? "python3";
  process_ = spawn(python, ["-m", "tests.clients.stage"], { cwd: root, stdio: ["pipe", "pipe", "ignore"] });
  for await (const line of createInterface({ input: process_.stdout })) {
    gateway = JSON.parse(line);
    break;
  }
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
});

after(() => process_.stdin.end());

const asking = (question) => [{ role: "user", content: question }];

async function viewed(chunks) {
  const view = new AnswerView();
  let added = "";
  for await (const chunk of chunks) added += view.take(chunk);
  return { view, added };
}

const streamed = async (model, question, more = {}) =>
  client.chat.completions.create({ model, messages: asking(question), stream: true, ...more });

const fetched = async (model, question) =>
  chunksOf(
    await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { Authorization: `Bearer ${gateway.key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ model, messages: asking(question), stream: true }),
    }),
  );

for (const [how, chunks] of [["the package", streamed], ["fetch", fetched]]) {
  test(`a kept answer, by ${how}`, async () => {
    const { view, added } = await viewed(await chunks("auto", "Capital?"));
    assert.deepEqual([view.text, added, view.state, view.tier], [RIGHT, RIGHT, "finished", "cheap"]);
  });

  test(`a held and escalated one, by ${how}`, async () => {
    const { view, added } = await viewed(await chunks("auto", "Capital? doubt"));
    assert.deepEqual([view.text, added, view.decision, view.superseded], [RIGHT, RIGHT, "escalate", []]);
  });

  test(`a retracted one, by ${how}`, async () => {
    const { view, added } = await viewed(await chunks("shown", "Capital? doubt"));
    assert.deepEqual([view.text, added, view.tier], [RIGHT, WRONG + RIGHT, "large"]);
    assert.deepEqual(view.superseded.map(({ text, how, tier }) => [text, how, tier]), [[WRONG, "retracted", "cheap"]]);
  });

  test(`an appended one, by ${how}`, async () => {
    const { view, added } = await viewed(await chunks("appended", "Capital? doubt"));
    assert.deepEqual([view.text, added], [RIGHT, WRONG + MARKER + RIGHT]);
    assert.deepEqual(view.superseded.map(({ text, how }) => [text, how]), [[WRONG, "appended"]]);
  });

  test(`an error in the middle, by ${how}`, async () => {
    const view = new AnswerView();
    await assert.rejects(async () => {
      for await (const chunk of await chunks("auto", "Capital? break")) view.take(chunk);
    }, /broke off/);
    assert.ok(view.text && RIGHT.startsWith(view.text) && view.state !== "finished");
  });
}

test("a refusal of a fetched request", async () => {
  await assert.rejects(async () => viewed(await fetched("none", "x")), /does not exist/);
});

test("what does not stand is drawn struck out", async () => {
  globalThis.document = { createElement: (name) => ({ name, attributes: {}, setAttribute(k, v) { this.attributes[k] = v; } }) };
  const { view } = await viewed(await streamed("shown", "Capital? doubt"));
  let drawn;
  draw({ replaceChildren: (...children) => (drawn = children) }, view);
  assert.deepEqual(drawn.map(({ name, textContent }) => [name, textContent]), [["del", WRONG], ["p", RIGHT]]);
  assert.equal(drawn[1].attributes["aria-busy"], "false");
});

test("a whole answer, its headers and its request id", async () => {
  const asked = { model: "auto", messages: asking("Capital? doubt") };
  const { data, response, request_id } = await client.chat.completions.create(asked).withResponse();
  assert.equal(data.choices[0].message.content, RIGHT);
  assert.equal(response.headers.get("x-streamroute-tier"), "large");
  assert.ok(request_id);
  assert.equal(data.usage.total_tokens, 15);
});

test("the streaming helper", async () => {
  const stream = client.chat.completions.stream({
    model: "auto", messages: asking("Capital?"), stream_options: { include_usage: true },
  });
  assert.equal(await stream.finalContent(), RIGHT);
  assert.equal((await stream.totalUsage()).total_tokens, 15);
});

test("streamed tool calls", async () => {
  const stream = client.chat.completions.stream({ model: "auto", messages: asking("both?"), tools: [TOOL] });
  const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
  assert.equal(finish_reason, "tool_calls");
  assert.deepEqual(message.tool_calls.map((call) => JSON.parse(call.function.arguments).city), ["Canberra", "Canberra"]);
});

test("a tool loop", async () => {
  const runner = client.chat.completions.runTools({
    model: "auto",
    messages: asking("The weather?"),
    tools: [{ ...TOOL, function: { ...TOOL.function, parse: JSON.parse, function: ({ city }) => `21 in ${city}` } }],
  });
  assert.equal(await runner.finalContent(), "It is 21 degrees in Canberra.");
});

test("errors have their classes", async () => {
  await assert.rejects(streamed("none", "x"), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ model: "auto", messages: [] }), OpenAI.BadRequestError);
  await assert.rejects(client.withOptions({ apiKey: "wrong" }).models.list(), OpenAI.AuthenticationError);
});

test("models are listed", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("auto") && names.includes("large"));
});
