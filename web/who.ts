/** The person at the keyboard: of their session, or, while identity is off, as they chose to be (`pages/as.ts`). */
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { isId } from './ids.ts'

export const roles = ['customer', 'stock-manager', 'purchaser', 'operator'] as const
export type Role = (typeof roles)[number]

export type Who = {
  userid: string
  /** The one that the pages begin with. */
  role: Role
  /** All, with at least that one. */
  roles: readonly Role[]
}

declare module 'hono' {
  interface ContextVariableMap {
    /** Of a session (`identity/login.ts`). */
    person: Who
  }
}

const cookie = 'as'
const yearS = 365 * 86_400

/** @param roles at least one. A person of staff begins with the pages of staff. */
export const toWho = ({ userid, roles }: Pick<Who, 'userid' | 'roles'>): Who => ({
  userid,
  roles,
  role: roles.find((it) => it !== 'customer') ?? 'customer',
})

/** @returns the person's choice. Only while identity is off. */
export function chosenWho(c: Context): Who | undefined {
  const [role, ...rest] = (getCookie(c, cookie) ?? '').split(':')
  const userid = rest.join(':')
  return isRole(role) && isId(userid) ? toWho({ userid, roles: [role] }) : undefined
}

export function remember(c: Context, { role, userid }: Pick<Who, 'role' | 'userid'>, secure: boolean): void {
  setCookie(c, cookie, `${role}:${userid}`, {
    path: '/',
    httpOnly: true,
    sameSite: 'Lax',
    secure,
    maxAge: yearS,
  })
}

export const forget = (c: Context): void => void deleteCookie(c, cookie, { path: '/' })

const isRole = (text: string | undefined): text is Role =>
  (roles as readonly (string | undefined)[]).includes(text)
