/** One kind of damage: how it is planted, and which check must name it with which row. `$name` in both stands for an id of `PlantedBooks`. */
export interface Damage {
  readonly what: string;
  readonly sql: string;
  /** Damage to the exported file of a partition; null deletes it. */
  readonly file?: { readonly partition: string; readonly harm: (bytes: Buffer) => Buffer | null };
  readonly check: string;
  /** All of these stand in one finding. */
  readonly names: readonly string[];
}

/** A damage to a file: its partition's name stands in the finding too. */
export const fileDamage = (what: string, partition: string, harm: (bytes: Buffer) => Buffer | null, check: string, ...names: readonly string[]): Damage => ({ what, sql: '', file: { partition, harm }, check, names: [`$${partition}`, ...names] });

/** The first of the checks' names, then what its finding names. */
export const damage = (what: string, sql: string, check: string, ...names: readonly string[]): Damage => ({ what, sql, check, names });
