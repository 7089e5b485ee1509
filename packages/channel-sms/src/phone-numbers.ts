/**
 * ITU-T E.164 §6: a country code, which does not start with 0, and a number, 15 digits at most in total. No number in
 * use has fewer than 7 digits, of which the last two do not identify a person.
 */
export const phoneNumber: RegExp = /^\+[1-9]\d{6,14}$/;

/** Shortens a number for reports: enough to distinguish recipients, but not to call them. */
export const shortened = (number: string): string => `…${number.slice(-2)}`;

/** Seven or more digits in any grouping. */
const runOfDigits = /\d(?:[\s()./-]{0,2}\d){6,}/g;

/**
 * Shortens the `numbers` in a text: every run of digits that contains the last seven digits of a number. So a number is
 * found in any grouping, with or without its country code, and with other digits around it.
 */
export function withoutNumbers(text: string, numbers: readonly string[]): string {
  return text.replace(runOfDigits, (run) => {
    const digits = run.replace(/\D/g, '');
    const whose = numbers.find((number) => digits.includes(number.slice(-7)));
    return whose === undefined ? run : shortened(whose);
  });
}
