// What is said to the person at the page: sizes, and for each thing that can go wrong, what it is and what to do.

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  let amount = bytes;
  for (const unit of ["kB", "MB", "GB"]) {
    amount /= 1000;
    if (amount < 999.95) return `${amount.toFixed(1)} ${unit}`;
  }
  return `${(amount / 1000).toFixed(1)} TB`;
}

export function bytes(count) {
  return `${count.toLocaleString("en")} ${count === 1 ? "byte" : "bytes"}`;
}

export function tooLarge(length, most) {
  return `The file has ${size(length)}, and at most ${size(most)} are allowed. Choose a smaller one.`;
}

export const FOLDER = "This is a folder. Drop the files in it instead.";

export const UNREADABLE = "The browser cannot read the file. Was it moved or changed? Choose it again.";

export const CANCELLED = "You cancelled this upload.";

export function noServer() {
  return "This page's own server does not answer. Is it still running? Start it if not, and try again.";
}

export function noRow(seconds) {
  return (
    `The file is in the bucket, but after ${seconds} seconds the table has no row for it. Wait a little and look ` +
    "again. If there is still none, an operator finds out why in the failure queue."
  );
}

// A browser tells a page nothing about a request that was blocked: no status, no reason.
export function blocked() {
  return (
    "The upload was blocked or the connection broke. Check the connection and try again. If every file fails so, the " +
    `bucket does not let pages of ${location.origin} upload: whoever runs it adds this address to corsAllowedOrigins.`
  );
}

// How S3 refuses: its error document has a code and a message for programmers.
export function refused(status, document, length, most) {
  const code = document?.querySelector("Code")?.textContent ?? "";
  const message = document?.querySelector("Message")?.textContent ?? "";
  if (code === "EntityTooLarge") return tooLarge(length, most);
  if (code === "ExpiredToken" || /expired/i.test(message)) {
    return "The permission to upload this file has run out before the upload began. Try again: you get a new one.";
  }
  if (code === "SlowDown" || status >= 500) return "The bucket is busy. Wait a moment and try again.";
  if (code === "SignatureDoesNotMatch" || code === "AccessDenied" || code === "InvalidAccessKeyId") {
    return `The bucket did not accept the permission to upload this file (${code}). Try again; if it stays so, tell whoever runs this page.`;
  }
  return `The bucket refused the file (${code || `status ${status}`}). Try again; if it stays so, tell whoever runs this page.`;
}
