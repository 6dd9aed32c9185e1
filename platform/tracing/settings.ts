/** The settings of tracing. */
import { z } from 'zod'
import { flag, isEscaped, url } from '../setting.ts'

const share = () => {
  const message = 'must be a number from 0 to 1'
  return z.coerce.number(message).min(0, message).max(1, message)
}

const headerPair = /^[\w!#$%&'*+.^`|~-]+\s*=[\x20-\x7e]+$/
const areHeaders = (text: string) =>
  text.split(',').every((pair) => headerPair.test(pair.trim()) && isEscaped(pair))

export const tracingSettings = {
  OTEL_SDK_DISABLED: flag()
    .prefault('false')
    .describe('`true` turns tracing off, whatever the settings below are'),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http', 'https'], 'http://collector:4318')
    .optional()
    .describe(
      'Endpoint of traces by OTLP over HTTP, such as `http://collector:4318`. They are posted to `/v1/traces` there. Without an endpoint nothing is traced',
    ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url(['http', 'https'], 'http://collector:4318/v1/traces')
    .optional()
    .describe(
      'The same with its path, such as `http://collector:4318/v1/traces`. Used instead of the other if both are set',
    ),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .refine(areHeaders, 'must be like name=value,name=value, in ASCII; in a value write %2C for a comma')
    .optional()
    .describe('Headers for the collector: `name=value,name=value`'),
  OTEL_TRACES_SAMPLER_ARG: share()
    .default(1)
    .describe('Share of the requests without a `traceparent` that is traced, 0 to 1'),
}

type Given = z.infer<z.ZodObject<typeof tracingSettings>>

export const toTraces = (it: Given) => ({
  tracesUrl: tracesUrlOf(it),
  otlpHeaders: it.OTEL_EXPORTER_OTLP_HEADERS,
  traceShare: it.OTEL_TRACES_SAMPLER_ARG,
})

/**
 * @returns where traces are posted; undefined when tracing is off. Source:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
 */
function tracesUrlOf(it: Given): string | undefined {
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url, OTEL_EXPORTER_OTLP_ENDPOINT: base } = it
  if (it.OTEL_SDK_DISABLED) return undefined
  return url ?? (base && `${base.replace(/(?<!\/)\/+$/, '')}/v1/traces`)
}
