/** One kind of damage: how it is planted, and which check must name it with which row. `$name` in both stands for an id of `PlantedBooks`. */
export interface Damage {
  readonly what: string;
  readonly sql: string;
  readonly check: string;
  /** All of these stand in one finding. */
  readonly names: readonly string[];
}

/** The first of the checks' names, then what its finding names. */
export const damage = (what: string, sql: string, check: string, ...names: readonly string[]): Damage => ({ what, sql, check, names });
