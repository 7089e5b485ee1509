/** What stands where a secret stood. */
const mask = '***';

/** Shorter ones occur in ordinary text. */
const minLength = 8;

/** What is secret in headers: the value of each, and what follows its scheme, as in `Bearer …`. */
export function secretsIn(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.values(headers).flatMap((value) => [value, ...value.split(' ').slice(1)]);
}

/** `text` without the secrets: a receiver that echoes requests must not write them into our records. */
export function redact(text: string, ...secrets: readonly (readonly string[])[]): string {
  if (text === '') return text;
  let redacted = text;
  for (const secret of secrets.flat()) {
    if (secret.length >= minLength) redacted = redacted.replaceAll(secret, mask);
  }
  return redacted;
}
