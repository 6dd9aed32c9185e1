// Requests without an answer: htmx shows nothing of them.

// An answer without this header is not from the pages: a proxy says that it cannot reach them.
const isOwn = ({ raw }) => raw.headers.has('content-security-policy')

const unanswered = (source) => {
  const region = document.querySelector('#notices')
  if (region && !region.querySelector('.unanswered')) {
    const notice = document.createElement('p')
    notice.className = 'notice unanswered'
    notice.textContent = document.body.dataset.unanswered
    region.append(notice)
  }
  // A stream that did not begin is not opened again by its extension.
  const stream = source?.getAttribute?.('hx-sse:connect')
  if (!stream) return
  const again = () => source.isConnected && !source._htmx?.sse && htmx.ajax('GET', stream, { source })
  setTimeout(again, 2_000 + Math.random() * 3_000)
}

const answered = () => {
  for (const notice of document.querySelectorAll('.unanswered')) notice.remove()
}

document.addEventListener('htmx:error', ({ detail: { ctx } }) => ctx && unanswered(ctx.sourceElement))
document.addEventListener('htmx:before:response', (event) => {
  const { sourceElement, response } = event.detail.ctx
  if (isOwn(response)) return answered()
  event.preventDefault()
  unanswered(sourceElement)
})
document.addEventListener('htmx:sse:error', () => unanswered())
document.addEventListener('htmx:sse:after:connection', answered)
