/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Parts of a parasite that want to be called when it becomes a daemon (init: 0 = fine, else it does not start) and when
 * it leaves (exit). Either function may be NULL.
 */
#ifndef COMPEL_PLUGINS_H
#define COMPEL_PLUGINS_H

typedef struct {
	const char *name;
	int (*init)(void);
	void (*exit)(void);
} plugin_init_t;

/* At file scope, once for each id. */
#define PLUGIN_REGISTER(___id, ___name, ___init, ___exit)                            \
	static const plugin_init_t __plugin_##___id = { ___name, ___init, ___exit }; \
	const plugin_init_t *const __ptr__##___id __attribute__((used, section(".compel.init"))) = &__plugin_##___id;

#define PLUGIN_REGISTER_DUMMY(___id) PLUGIN_REGISTER(___id, #___id, 0, 0)

#endif
