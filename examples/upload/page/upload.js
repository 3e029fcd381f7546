// Takes files, uploads each straight to the bucket with a form that this page's server signs, and waits for its row.

import { Card } from "./view.js";
import { CANCELLED, FOLDER, UNREADABLE, blocked, noRow, noServer, refused, size, tooLarge } from "./words.js";

const AT_ONCE = 3; // uploads; more would only share the same line
const PATIENCE = 60; // seconds for a row to come
const FIRST_LOOK = 150; // milliseconds, growing by a half each time
const LONGEST_PAUSE = 2000;

const [drop, input, list] = ["drop", "files", "list"].map((id) => document.getElementById(id));
const [limit, notice, empty, said, sum] = ["limit", "notice", "empty", "said", "sum"].map((id) =>
  document.getElementById(id),
);

class Trouble extends Error {} // its message is for the person at the page

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
    const content = await answer.json();
    if (answer.ok) return content;
    throw new Trouble(content.error.message);
  } catch (error) {
    throw error instanceof Trouble ? error : new Trouble(noServer());
  }
}

class Upload {
  constructor(file, { isFolder }) {
    this.file = file;
    this.isFolder = isFolder;
    this.card = new Card(file, { onCancel: () => this.cancel(), onRetry: () => this.again() });
  }

  get state() {
    return this.card.node.dataset.state;
  }

  async run(settings) {
    try {
      if (!this.posted) this.posted = await this.send(settings);
      await this.wait();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      // what cannot get better by itself is not worth another try
      this.fail(error.message, { mayRetry: !error.isFinal });
    }
  }

  async send({ max_bytes: most }) {
    if (this.isFolder) throw final(FOLDER);
    if (this.file.size > most) throw final(tooLarge(this.file.size, most));
    const { name, size: bytes, type } = this.file;
    const form = await ask("/api/uploads", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name, size: bytes, type }),
    });
    if (this.stopped) throw new Trouble(CANCELLED);
    const etag = await this.post(form, most);
    this.finished = performance.now();
    return { key: form.key, etag };
  }

  // XMLHttpRequest, because fetch cannot tell how much of a body it has sent
  post({ url, fields }, most) {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    body.append("file", this.file, "file"); // last: S3 ignores whatever follows it
    return new Promise((done, failed) => {
      const request = (this.request = new XMLHttpRequest());
      request.open("POST", url);
      request.responseType = "document";
      request.upload.addEventListener("progress", (event) => this.card.progress(event.loaded / event.total));
      request.addEventListener("load", () => {
        if (request.status < 300) done((request.getResponseHeader("ETag") ?? "").replaceAll('"', ""));
        else failed(new Trouble(refused(request.status, request.responseXML, this.file.size, most)));
      });
      request.addEventListener("abort", () => failed(new Trouble(CANCELLED)));
      request.addEventListener("error", async () => failed(await this.why()));
      request.send(body);
    });
  }

  // A file that has gone or changed since it was chosen breaks the request just as a lost connection does.
  async why() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
      return new Trouble(blocked());
    } catch {
      return final(UNREADABLE);
    }
  }

  async wait() {
    this.card.show("uploaded", { word: "Uploaded, waiting for its row" });
    say(`${this.file.name} is uploaded.`);
    const question = `/api/row?${new URLSearchParams(this.posted)}`;
    const begun = performance.now();
    for (let pause = FIRST_LOOK; performance.now() - begun < PATIENCE * 1000; pause *= 1.5) {
      const { row } = await ask(question);
      if (row) {
        this.card.row(row, (performance.now() - this.finished) / 1000);
        say(`${this.file.name} is indexed.`);
        return;
      }
      await new Promise((done) => setTimeout(done, Math.min(pause, LONGEST_PAUSE)));
    }
    throw new Trouble(noRow(PATIENCE));
  }

  fail(problem, { mayRetry }) {
    const word = this.posted ? "Uploaded, not indexed" : problem === CANCELLED ? "Cancelled" : "Not uploaded";
    this.card.show("error", { word, problem, mayRetry });
    say(`${this.file.name}: ${problem}`);
  }

  cancel() {
    this.stopped = true;
    if (this.state === "waiting") this.fail(CANCELLED, { mayRetry: true });
    this.request?.abort();
    count();
  }

  again() {
    this.stopped = false;
    this.card.show("waiting");
    next();
  }
}

function final(message) {
  return Object.assign(new Trouble(message), { isFinal: true });
}

function say(sentence) {
  said.textContent = sentence;
}

const uploads = [];
let settings = null;
let running = 0;

function take(files, folders = new Set()) {
  const taken = [...files].map((file, at) => new Upload(file, { isFolder: folders.has(at) }));
  uploads.push(...taken);
  list.prepend(...taken.map((upload) => upload.card.node)); // what came last is what somebody waits for
  if (uploads.length) empty.hidden = true;
  next();
}

function next() {
  count();
  while (settings && running < AT_ONCE) {
    const upload = uploads.find((each) => each.state === "waiting");
    if (!upload) return;
    running += 1;
    upload.card.show("uploading", { word: "Starting" });
    upload.run(settings).finally(() => {
      running -= 1;
      next();
    });
  }
}

function count() {
  const indexed = uploads.filter((each) => each.state === "indexed").length;
  sum.textContent = uploads.length ? `${indexed} of ${uploads.length} indexed` : "";
}

async function start() {
  try {
    settings = await ask("/api/settings");
    limit.textContent = `Up to ${size(settings.max_bytes)} each, into ${settings.bucket}`;
    next();
  } catch (error) {
    notice.textContent = `${error.message} To do so, load this page again.`;
    notice.hidden = false;
  }
}

input.addEventListener("change", () => {
  take(input.files);
  input.value = ""; // so that the same file can be chosen again
});

let inside = 0; // an element within the area is entered before the last one is left
for (const [name, step] of [["dragenter", 1], ["dragleave", -1]]) {
  drop.addEventListener(name, () => {
    inside += step;
    drop.classList.toggle("over", inside > 0);
  });
}

// On the whole page, because a browser opens a file that is dropped beside the area, and the page with its uploads is gone.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  inside = 0;
  drop.classList.remove("over");
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const folders = items.flatMap((item, at) => (item.webkitGetAsEntry?.()?.isDirectory ? [at] : []));
  take(event.dataTransfer.files, new Set(folders));
});

addEventListener("beforeunload", (event) => {
  if (uploads.some((each) => ["waiting", "uploading"].includes(each.state))) event.preventDefault();
});

start();
