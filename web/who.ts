/** The person at the keyboard. While the system has no identities, people choose who they are (`pages/as.ts`). */
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { isId } from './ids.ts'

export const roles = ['customer', 'stock-manager', 'purchaser', 'operator'] as const
export type Role = (typeof roles)[number]

export type Who = { userid: string; role: Role }

const cookie = 'as'
const yearS = 365 * 86_400

export function whoOf(c: Context): Who | undefined {
  const [role, ...rest] = (getCookie(c, cookie) ?? '').split(':')
  const userid = rest.join(':')
  return isRole(role) && isId(userid) ? { role, userid } : undefined
}

export function remember(c: Context, { role, userid }: Who, secure: boolean): void {
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
