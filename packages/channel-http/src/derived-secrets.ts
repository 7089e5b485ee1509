/** Shorter paths, and parts of one, have room for no secret, and are ordinary words. */
const minPathLength = 20;

/** `redact` looks for no shorter ones. */
const minLength = 8;

/** A tenant's headers and address have room for thousands, each to be looked for in each answer. */
const maxCount = 64;

/**
 * What is secret besides whole header values, which the engine knows of: what follows the scheme of one, as in
 * `Bearer …`; what stands in quotes, or behind `=`; of Basic credentials, the password and the user with it; the path and
 * query of the address, where they have room for a secret; a long part of the path, and what the query says. At most
 * 64, those of the headers first.
 */
export function derivedSecrets(headers: Readonly<Record<string, string>>, url: string): readonly string[] {
  const secrets = new Set<string>();
  for (const secret of [...Object.values(headers).flatMap(partsOfHeader), ...partsOfAddress(url)]) {
    if (secret.length >= minLength && secrets.size < maxCount) secrets.add(secret);
  }
  return [...secrets];
}

function partsOfHeader(value: string): readonly string[] {
  const [, basic] = /^basic +(\S+)$/i.exec(value) ?? [];
  return [
    ...(basic === undefined ? [] : partsOfCredentials(basic)),
    ...value.split(' ').slice(1),
    ...Array.from(value.matchAll(/"([^"]*)"/g), ([, quoted]) => quoted!),
    ...Array.from(value.matchAll(/=([^\s",;]+)/g), ([, named]) => named!),
  ];
}

/** RFC 7617 §2: the user's name has no colon. */
function partsOfCredentials(base64: string): readonly string[] {
  const credentials = Buffer.from(base64, 'base64').toString();
  return [credentials, credentials.slice(credentials.indexOf(':') + 1)];
}

function partsOfAddress(url: string): readonly string[] {
  if (!URL.canParse(url)) return [];
  const { pathname, search } = new URL(url);
  const parts = pathname.split('/').filter((part) => part.length >= minPathLength);
  const values = search.split('&').map((field) => field.slice(field.indexOf('=') + 1));
  return pathname.length + search.length < minPathLength ? values : [pathname + search, ...parts, ...values];
}
