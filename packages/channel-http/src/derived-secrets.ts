/** Shorter addresses have room for no secret, and occur in ordinary text. */
const minPathLength = 20;

/**
 * What is secret besides whole header values, which the engine knows of: what follows the scheme of one, as in
 * `Bearer …`, what stands in quotes, and the path and query of the address, where they have room for a secret.
 */
export function derivedSecrets(headers: Readonly<Record<string, string>>, url: string): readonly string[] {
  const secrets = Object.values(headers).flatMap((value) => [
    ...value.split(' ').slice(1),
    ...Array.from(value.matchAll(/"([^"]*)"/g), ([, quoted]) => quoted!),
  ]);
  if (URL.canParse(url)) {
    const { pathname, search } = new URL(url);
    if (pathname.length + search.length >= minPathLength) secrets.push(pathname + search);
  }
  return secrets;
}
