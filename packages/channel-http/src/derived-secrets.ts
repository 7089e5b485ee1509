/** Shorter paths and path segments are ordinary words, not secrets. */
const minPathLength = 20;

/** The minimum length of a secret that `redact` looks for. */
const minLength = 8;

/** Cap on secrets. Headers and URL could contain thousands, and each is searched for in each response. */
const maxCount = 64;

/**
 * Returns the secrets besides whole header values, which the engine knows. At most 64, those of the headers first:
 * - the part of a header value after its scheme, as in `Bearer …`
 * - quoted parts of a header value, and parts after `=`
 * - the decoded Basic credentials, and the password in them
 * - the path and query of the URL if they are long enough to hold a secret
 * - long segments of the path, and values of the query
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

/** Decodes Basic credentials. The user name contains no colon (RFC 7617 §2). */
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
