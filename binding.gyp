{
  "targets": [
    {
      "target_name": "neox",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["<(PRODUCT_DIR)/neox.node"],
          "action": ["node", "scripts/build.mjs", "--out", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
