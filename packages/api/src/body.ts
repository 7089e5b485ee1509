import { isDeeperThan } from '@posthorn/core/schemas';
import { type Asked, brokeOff, type Content, withoutBody } from './exchange.js';
import { Refusal, refuse } from './refusal.js';

/** The body of a request: its JSON text as received, and the parsed value. Both are undefined without a body. */
export interface Body {
  readonly text: string | undefined;
  readonly value: unknown;
}

/** A payload may nest 64 levels deep, and it is inside an object. */
const maxDepth = 80;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a JSON body, up to `maxBytes`. Refuses another media type or a content encoding (415), a larger body (413), and
 * one that is not UTF-8, not JSON or nested too deeply (400).
 */
export async function readBody(asked: Asked, maxBytes: number): Promise<Body> {
  const { headers } = asked;
  const bytes = withoutBody.has(asked.method) ? undefined : await bytesOf(asked, maxBytes);
  if (!bytes?.length) return { text: undefined, value: undefined };
  const type = headers.get('content-type') ?? '';
  if (!/^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type)) {
    throw refuse(415, 'the body must have the media type application/json, in UTF-8');
  }
  if (/[^\s]/.test(headers.get('content-encoding')?.replace(/^identity$/i, '') ?? '')) {
    throw refuse(415, 'the body must not have a content-encoding');
  }
  const text = textOf(bytes);
  // Checked before parsing, so that nothing is built that will not be used.
  if (isDeeperThan(text, maxDepth))
    throw refuse(400, `the body must not nest objects and arrays more than ${maxDepth} levels deep`);
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    throw refuse(400, 'the body must be JSON');
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw refuse(400, 'the body must be UTF-8');
  }
}

async function bytesOf(asked: Asked, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => refuse(413, `the body must have at most ${maxBytes} bytes`);
  if (Number(asked.headers.get('content-length')) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of chunksOf(await asked.content())) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof Refusal ? error : brokeOff();
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function chunksOf(content: Content | null): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (content === null) return [];
  if (typeof content === 'string') return [Buffer.from(content)];
  return content instanceof Uint8Array ? [content] : content;
}
