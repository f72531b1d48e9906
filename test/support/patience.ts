/**
 * A machine of tests stands still for seconds at times. A gateway that refuses for that is right, and it is not what a test is
 * about, unless it sets these itself.
 */
export const patience = { SNAPSHOT_AGE_MS_MAX: '20000', FLOOR_WAIT_MS: '20000' };
