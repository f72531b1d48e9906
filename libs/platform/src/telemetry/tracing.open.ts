import type { Registry } from 'prom-client';
import type { Clock } from '../clock.js';
import type { ProcessSettings } from '../config/config.js';
import { Tracing } from './tracing.js';

export interface TracingContext {
  readonly name: string;
  readonly settings: ProcessSettings;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly trustsCallers: boolean;
}

export interface OpenTracing {
  readonly tracing: Tracing;
  /** Sends what waits, for at most `stopMsMax`. */
  stop(): Promise<void>;
}

const stopMsMax = 1_000;

/** Null where no collector is set: then nothing of OpenTelemetry is even loaded. */
export const openTracing = async ({ name, settings, registry, clock, trustsCallers }: TracingContext): Promise<OpenTracing | null> => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers = {}, TRACE_SAMPLE_RATIO: sampleRatio } = settings;
  if (endpoint === undefined) return null;
  const { openSpanExport } = await import('./tracing.export.js');
  const spanExport = openSpanExport({ endpoint, headers, serviceName: name }, registry);
  return {
    tracing: new Tracing({ sampleRatio, trustsCallers, clock, sink: spanExport.sink }),
    stop: async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, stopMsMax)));
      await Promise.race([spanExport.stop(), late]);
      clearTimeout(timer);
    },
  };
};
