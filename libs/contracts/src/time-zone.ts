const known = new Map<string, boolean>();
const knownMax = 1_000;
const keptLengthMax = 64;

/** Whether a time zone has rules on this machine: an IANA name, or an offset such as +08:00. Answers are kept, since Intl is slow to say. */
export const isTimeZone = (name: string): boolean => {
  let answer = known.get(name);
  if (answer === undefined) {
    try {
      answer = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
    } catch {
      // Intl throws a RangeError for a name that it does not know.
      answer = false;
    }
    // A hostile caller may name many, and long ones.
    if (known.size < knownMax && name.length <= keptLengthMax) known.set(name, answer);
  }
  return answer;
};
