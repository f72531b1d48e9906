export interface FetchProgress {
  readonly source: 'pip' | 'hugging-face' | 'npm';
  /** Unknown where the one who downloads does not tell. */
  readonly receivedBytes: number | null;
  readonly totalBytes: number | null;
}

export type ReportProgress = (progress: FetchProgress) => void;
