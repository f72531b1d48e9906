/** The places where tests kill a gateway: what is true before and after each is what crash safety means. */
export const failpointNames = ['after_claim', 'after_hold', 'after_open', 'first_byte', 'checkpoint', 'before_commit', 'after_commit', 'before_terminal'] as const;
export type FailpointName = (typeof failpointNames)[number];
export type Failpoint = (name: FailpointName) => void;

export const noFailpoint: Failpoint = () => undefined;

/** `setting`: `name` or `name:pass`. `kill` ends the process at once, without any handler running. */
export const createFailpoint = (setting: string, kill: () => void): Failpoint => {
  const [wanted, pass = '1'] = setting.split(':');
  let left = Number(pass);
  return (name) => {
    if (name === wanted && --left === 0) kill();
  };
};
