const dayMs = 86_400_000;
const minuteMs = 60_000;

/** The days up to now. Whole minutes, so that two pages opened one after the other ask the same question and share its answer. */
export const lastDays = (days: number, nowMs: number = Date.now()): { readonly from: string; readonly until: string } => {
  const untilMs = Math.ceil(nowMs / minuteMs) * minuteMs;
  return { from: new Date(untilMs - days * dayMs).toISOString(), until: new Date(untilMs).toISOString() };
};
