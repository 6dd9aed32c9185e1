/** HTML that is escaped by default: values in the template are text unless they are `Html`. */
export class Html {
  readonly markup: string
  constructor(markup: string) {
    this.markup = markup
  }
}

export function html(strings: TemplateStringsArray, ...values: (string | number | Html | Html[])[]): Html {
  return new Html(strings.reduce((markup, text, i) => markup + render(values[i - 1]!) + text))
}

const render = (value: string | number | Html | Html[]): string => {
  if (Array.isArray(value)) return value.map((it) => it.markup).join('')
  return value instanceof Html ? value.markup : escapeHtml(String(value))
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)
