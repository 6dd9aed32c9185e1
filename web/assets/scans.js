// Scanners type and press Enter, whether the answer to the last scan is there or not.

// The field of a scanner takes the next scan while the answer to the last one is on its way: the next one replaces the last.
const fieldOf = (form) => form?.querySelector('input[enterkeyhint]')
let typed

document.addEventListener('submit', ({ target }) => {
  typed = undefined
  fieldOf(target)?.select()
})

document.addEventListener('input', ({ target }) => {
  const { form } = target
  if (target !== fieldOf(form)) return
  typed = target
  // Another scan is another form. Enter alone, or a second click, sends the same one.
  const key = form.elements.namedItem('key')
  if (!key || !form.classList.contains('htmx-request')) return
  const digits = Array.from(crypto.getRandomValues(new Uint8Array(6)), (it) =>
    it.toString(16).padStart(2, '0'),
  )
  key.value = key.value.slice(0, -12) + digits.join('')
})

// An answer brings a new field: what is being typed goes on there.
document.addEventListener('htmx:after:swap', () => {
  if (!typed || typed.isConnected) return
  const field = document.getElementById(typed.id)
  if (field) {
    field.value = typed.value + field.value
    field.focus()
  }
  typed = field ?? undefined
})
