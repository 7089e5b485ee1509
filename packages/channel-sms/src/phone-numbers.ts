/**
 * ITU-T E.164 §6: a country code, which does not begin with 0, and what follows, 15 digits at most. No number in use has
 * fewer than 7, and two digits of such a one tell nobody whose it is.
 */
export const phoneNumber: RegExp = /^\+[1-9]\d{6,14}$/;

/** How a report speaks of a number: enough to tell one recipient from another, and not to call them. */
export const shortened = (number: string): string => `…${number.slice(-2)}`;

/** Seven digits or more, however they are grouped. */
const runOfDigits = /\d(?:[\s()./-]{0,2}\d){6,}/g;

/**
 * `text` with the `numbers` in it shortened, however they are grouped, with their country code or without, and with other
 * digits around them: every run of digits that has the last seven of a number.
 */
export function withoutNumbers(text: string, numbers: readonly string[]): string {
  return text.replace(runOfDigits, (run) => {
    const digits = run.replace(/\D/g, '');
    const whose = numbers.find((number) => digits.includes(number.slice(-7)));
    return whose === undefined ? run : shortened(whose);
  });
}
