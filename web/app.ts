/** The app of the pages: what every answer has in common, then the pages. */
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { contextStorage } from 'hono/context-storage'
import { csrf } from 'hono/csrf'
import { languageDetector } from 'hono/language'
import { type App, createApp } from '../platform/http/app.ts'
import { heldPerPersonMax, heldRequestsMax } from '../platform/http/held.ts'
import { Places } from '../platform/http/places.ts'
import type { Given } from '../platform/process.ts'
import type { Tracing } from '../platform/tracing/tracing.ts'
import { openApis } from './apis/apis.ts'
import { mountAssets, readAssets } from './assets.ts'
import type { PagesConfig } from './config.ts'
import { deliveryBytesMax } from './delivery.ts'
import { notFound, pageOfError } from './errors.ts'
import { isOwnOrigin, pageHeaders } from './headers.ts'
import type { Login } from './identity/login.ts'
import { mountAlerts } from './pages/alerts.ts'
import { mountAs } from './pages/as.ts'
import { mountBook } from './pages/book.ts'
import { csvPath } from './pages/delivery-view.ts'
import { mountDesk } from './pages/desk.ts'
import { mountHome } from './pages/home.ts'
import { mountLetter } from './pages/letter.ts'
import { mountLetters } from './pages/letters.ts'
import { mountLogin } from './pages/login.ts'
import { mountMine } from './pages/mine.ts'
import { mountMyData } from './pages/my-data.ts'
import { mountNotice } from './pages/notice.ts'
import { mountNotices } from './pages/notices.ts'
import { mountOne } from './pages/one.ts'
import { mountOps } from './pages/ops.ts'
import { mountOrders } from './pages/orders.ts'
import { mountPull } from './pages/pull.ts'
import { mountReady } from './pages/ready.ts'
import { mountReceive } from './pages/receive.ts'
import { mountReceiveCsv, showTooLarge } from './pages/receive-csv.ts'
import { mountReturn } from './pages/return.ts'
import { mountSettings } from './pages/settings.ts'
import { mountStock } from './pages/stock.ts'
import { mountStockOf } from './pages/stock-of.ts'
import { mountWanted } from './pages/wanted.ts'
import { PageRoutes } from './routes.ts'
import { Titles } from './titles.ts'
import { Visit } from './visit.ts'
import { locales } from './words/words.ts'

/** Of a form. */
const bodyBytesMax = 64 * 1024

/** @param login absent while identity is off. */
export async function createPages(
  { config, log, metrics, stopping, tracing }: Given<PagesConfig> & { tracing?: Tracing | undefined },
  login?: Login,
): Promise<App> {
  const { publicUrl, defaultLocale, libraryTimezone, urls } = config
  const about = { service: 'web', title: 'Pages', description: '', publicUrl }
  const app = createApp({ ...about, log, metrics })
  const assets = await readAssets()
  const apis = openApis(urls, log, login?.credentials)
  const titles = new Titles(apis)
  const site = {
    assets,
    apis,
    titles,
    timeZone: libraryTimezone,
    secure: publicUrl?.startsWith('https:') ?? false,
    login,
    streams: new Places({
      max: heldRequestsMax,
      perPersonMax: heldPerPersonMax,
      refusal: `This process already has ${heldRequestsMax} live pages open.`,
    }),
  }

  // For the calls that a page makes.
  app.use(contextStorage())
  app.use(pageHeaders(site.secure, config.login?.issuer))
  mountAssets(app, assets)
  app.use(compress())
  app.use(
    languageDetector({
      supportedLanguages: [...locales],
      fallbackLanguage: defaultLocale,
      order: ['querystring', 'cookie', 'header'],
      lookupQueryString: 'lang',
      lookupCookie: 'lang',
      caches: false,
    }),
  )
  app.use(csrf({ origin: (origin, c) => isOwnOrigin(c, origin, publicUrl) }))
  if (login) app.use(login.recognize)
  const limit = bodyLimit({ maxSize: bodyBytesMax })
  const fileLimit = bodyLimit({
    maxSize: deliveryBytesMax + bodyBytesMax,
    onError: (c) => showTooLarge(new Visit(site, c)),
  })
  app.use((c, next) => (c.req.path === csvPath ? fileLimit : limit)(c, next))
  app.onError((error, c) => pageOfError(new Visit(site, c), error, log))
  app.notFound((c) => notFound(new Visit(site, c)))

  const routes = new PageRoutes({ app, site, log, metrics, stopping, tracing })
  mountHome(routes)
  mountBook(routes)
  mountMine(routes)
  // Ahead of the pages with an id in this place.
  mountSettings(routes)
  mountMyData(routes)
  mountOne(routes)
  mountReceive(routes)
  mountReceiveCsv(routes)
  mountStock(routes)
  mountStockOf(routes)
  mountWanted(routes)
  mountOrders(routes)
  if (login) mountLogin(routes, login, log)
  else mountAs(routes)
  mountDesk(routes)
  mountPull(routes)
  mountReady(routes)
  mountReturn(routes)
  mountOps(routes)
  mountLetters(routes)
  mountLetter(routes)
  mountNotices(routes)
  mountNotice(routes)
  mountAlerts(routes)
  return app
}
