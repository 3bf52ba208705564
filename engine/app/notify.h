/*
 * notify.h - tells systemd that the service is ready, reloading or stopping (sd_notify(3)).
 *
 * The protocol is one datagram to the socket named by NOTIFY_SOCKET; without it nothing happens.
 */
#ifndef ENGINE_APP_NOTIFY_H
#define ENGINE_APP_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=..." */
void notify_systemd(const char *state);
/* RELOADING=1 with the time stamp that Type=notify-reload wants. */
void notify_reloading(void);

#endif
