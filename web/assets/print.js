// A button that prints the page, which needs a script under the Content-Security-Policy.
document.addEventListener('click', ({ target }) => {
  if (target.closest('[data-print]')) print()
})
