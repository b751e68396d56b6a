// Case files: zip archives, stored or deflated, without encryption and ZIP64.

import { Fault, need, text } from "./bytes.js";

const most = 64 << 20; // bytes that one file of an archive may unpack to

async function inflate(bytes, size, name) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const parts = [];
  let n = 0;
  try {
    for (const reader = stream.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      n += value.length;
      if (n > size) break;
      parts.push(value);
    }
  } catch {
    throw new Fault(`zip: ${name} can't be unpacked`);
  }
  need(n === size, `zip: ${name} has another size than the archive says`);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** isZip reports whether bytes begin as a zip does. */
export const isZip = (b) => b[0] === 0x50 && b[1] === 0x4b && (b[2] === 3 || b[2] === 5);

/** unzip returns the files of an archive whose names end as wanted: [{name, bytes}], in its order. */
export async function unzip(b, wanted) {
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  let end = b.length - 22;
  while (end >= 0 && end >= b.length - 22 - 65535 && view.getUint32(end, true) !== 0x06054b50) end--;
  need(end >= 0 && view.getUint32(end, true) === 0x06054b50, "zip: no directory at its end");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const files = [];
  try {
    for (let i = 0; i < count; i++) {
      need(view.getUint32(at, true) === 0x02014b50, "zip: its directory is broken");
      const flags = view.getUint16(at + 8, true);
      const method = view.getUint16(at + 10, true);
      const packed = view.getUint32(at + 20, true);
      const size = view.getUint32(at + 24, true);
      const nameLength = view.getUint16(at + 28, true);
      const local = view.getUint32(at + 42, true);
      const name = text(b.subarray(at + 46, at + 46 + nameLength), "zip: a name");
      at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
      if (!name.endsWith(wanted)) continue;
      need(!(flags & 1) && (method === 0 || method === 8), `zip: ${name} is encrypted or packed in another way than deflate`);
      need(size <= most && packed <= most, `zip: ${name} is too large`);
      need(view.getUint32(local, true) === 0x04034b50, `zip: ${name} is not where the directory says`);
      const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      need(from + packed <= b.length, `zip: ${name} is cut off`);
      const raw = b.subarray(from, from + packed);
      files.push({ name, bytes: method === 8 ? await inflate(raw, size, name) : raw });
    }
  } catch (e) {
    if (e instanceof RangeError) throw new Fault("zip: it is cut off");
    throw e;
  }
  return files;
}
