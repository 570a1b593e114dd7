// Show a routed answer that may be taken back. Works in browsers, Node, Deno and Bun; no dependency.
//
//     import OpenAI from "openai";
//     const view = new AnswerView();
//     for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
//       view.take(chunk);
//       draw(element, view);
//     }
//
// Without the openai package: `for await (const chunk of chunksOf(await fetch(url, { method: "POST", ... })))`.
//
// The gateway tells what becomes of a shown answer in the field `streamroute` of chunks with an empty delta:
//
//     { event: "retracted", tier, reason }              what was shown is withdrawn; another answer follows
//     { event: "appended", tier, to, reason, marker }   it stays, superseded by what follows; it ends with `marker`
//     { event: "continued", tier, to, at, reason }      it stays, and `to` goes on from it
//     { event: "committed", tier, decision, reason, evidence }   nothing but the end can happen to it any more

export class AnswerView {
  text = ""; // the answer that stands so far
  state = "waiting"; // waiting, shown, retracted, committed, finished or failed
  superseded = []; // { text, tier, reason, how: "retracted" or "appended" }, which do not stand
  seams = []; // { at, tier, to }: from text[at] on it is `to`'s
  tier = null;
  decision = null;
  reason = null;
  finishReason = null;
  route = null; // all about the route, where stream_options.include_usage was set
  error = null;

  // Returns what the chunk adds to the text.
  take(chunk) {
    if (chunk.error) {
      this.error = chunk.error;
      this.state = "failed";
      return "";
    }
    const told = chunk.streamroute;
    if (told?.event) this.#note(told);
    else if (told?.legs) this.route = told;
    const choice = chunk.choices?.find((each) => each.index === 0);
    const added = choice?.delta?.content ?? "";
    if (added) {
      this.text += added;
      if (this.state === "waiting" || this.state === "retracted") this.state = "shown";
    }
    if (choice?.finish_reason) {
      this.finishReason = choice.finish_reason;
      this.state = "finished";
    }
    return added;
  }

  #note({ event, tier, to, reason, decision, marker = "" }) {
    if (event === "committed") {
      Object.assign(this, { tier, decision, reason, state: "committed" });
    } else if (event === "retracted" || event === "appended") {
      // The marker is for those who do not read this: it is neither answer's.
      const end = event === "appended" && this.text.endsWith(marker) ? marker.length : 0;
      this.superseded.push({ text: this.text.slice(0, this.text.length - end), tier, reason, how: event });
      Object.assign(this, { text: "", state: "retracted", tier: to ?? null, seams: [] });
    } else if (event === "continued") {
      // Not the note's own `at`: that counts characters, JavaScript counts UTF-16 units.
      this.seams.push({ at: this.text.length, tier, to });
      this.tier = to;
    }
  }
}

// Draw a view into an element of a page: what stands, below what does not, struck out for readers and read out as such.
export function draw(element, view) {
  const lines = view.superseded.map(({ text, reason }) => {
    const line = document.createElement("del");
    line.textContent = text;
    line.title = `withdrawn: ${reason}`;
    return line;
  });
  const answer = document.createElement("p");
  answer.textContent = view.text;
  answer.setAttribute("aria-busy", String(!["finished", "failed"].includes(view.state)));
  element.replaceChildren(...lines, answer);
}

// The chunks of a fetched stream. Throws for an error reply, for an error in the middle, and where the stream ends before
// it said that it was done.
export async function* chunksOf(response) {
  if (!response.ok) throw new Error((await response.json()).error?.message ?? response.statusText);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let rest = "", read; !(read = await reader.read()).done; ) {
      const events = (rest + read.value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        if (event === "data: [DONE]") return;
        if (!event.startsWith("data: ")) continue; // a keep-alive
        const chunk = JSON.parse(event.slice(6));
        if (chunk.error) throw new Error(chunk.error.message);
        yield chunk;
      }
    }
    throw new Error("the answer broke off");
  } finally {
    await reader.cancel();
  }
}
